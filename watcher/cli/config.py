"""`watcher config`: look at the settings."""

from __future__ import annotations

import asyncio
import os

import typer

from watcher.cli.options import ConfigOption, JsonOption, open_log, read_settings
from watcher.cli.output import write_json, write_line, write_text
from watcher.settings.locations import find_config

app = typer.Typer(help="Check and show the configuration.", no_args_is_help=True)


@app.command()
def check(config: ConfigOption = None) -> None:
    """Say whether the configuration is right; name every mistake if it is not. Exit 0 or 2."""
    from watcher.service.bootstrap import check_settings, real_runtime

    settings = read_settings(config)
    asyncio.run(check_settings(settings, real_runtime(open_log(settings))))
    path = find_config(config, os.environ)
    where = f"{path}: " if path else "no file, only the environment: "
    write_line(
        f"{where}OK ({len(settings.jobs)} jobs, {len(settings.notifiers)} notifiers, {len(settings.sources)} sources)"
    )


@app.command()
def show(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the settings in force, wherever they come from, with secrets masked."""
    from watcher.settings.display import masked, to_toml

    document = masked(read_settings(config))
    if as_json:
        write_json(document)
    else:
        write_text(to_toml(document))


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    from watcher.settings.json_schema import schema as settings_schema

    write_json(settings_schema())
