"""`watcher config`: look at the settings."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import typer

from watcher.cli.exit_codes import Exit
from watcher.cli.options import Command, ConfigOption, JsonOption, open_log, read_settings
from watcher.cli.output import tell, write_json, write_line, write_text
from watcher.cli.setting_notes import notes_on
from watcher.domain.overview import counted
from watcher.errors import ConfigurationError
from watcher.settings.locations import find_config

app = typer.Typer(help="Check and show the configuration.", no_args_is_help=True)


@app.command(cls=Command)
def check(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Return whether the configuration is right; name every mistake if it is not. Exit 0 or 2."""
    if not as_json:
        _check(config, as_json=False)
        return
    try:
        _check(config, as_json=True)
    except ConfigurationError as error:
        write_json({"ok": False, "mistakes": list(error.mistakes)})
        raise typer.Exit(Exit.USAGE) from None


def _check(config: Path | None, *, as_json: bool) -> None:
    from watcher.service.bootstrap import check_settings, open_store, real_runtime

    settings = read_settings(config)
    open_store(settings)  # refuses an address that cannot be one; nothing is opened before it is entered
    without_list = asyncio.run(check_settings(settings, real_runtime(open_log(settings))))
    path = find_config(config, os.environ)
    notes = notes_on(settings, path, without_list)
    counts = {
        "jobs": len(settings.jobs),
        "rules": len(settings.watch),
        "notifiers": len(settings.notifiers),
        "sources": len(settings.sources),
    }
    if as_json:
        write_json({"ok": True, "file": str(path) if path else None, **counts, "notes": notes})
        return
    where = f"{path}: " if path else "no file, only the environment: "
    write_line(f"{where}OK ({', '.join(counted(count, name) for name, count in counts.items())})")
    tell(*notes)


@app.command(cls=Command)
def show(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the settings in force, wherever they come from, with secrets masked."""
    from watcher.settings.display import masked, to_toml

    document = masked(read_settings(config))
    if as_json:
        write_json(document)
    else:
        write_text(to_toml(document))


@app.command(cls=Command)
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    from watcher.settings.json_schema import schema as settings_schema

    write_json(settings_schema())
