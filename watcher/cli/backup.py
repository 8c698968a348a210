"""`watcher backup`: a copy of the store while it is in use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from watcher.cli.options import ConfigOption, JsonOption, read_settings_for_store
from watcher.cli.output import write_json, write_line
from watcher.domain.overview import counted

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="Where to write the copy; an older one is replaced.")
]


def backup(file: FileArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Copy the SQLite store to a file, whether the service runs or not. The copy is checked before it is kept.

    To restore it, stop the service and put the copy in the place of the store.
    """
    from watcher.store.backup import back_up

    made = back_up(read_settings_for_store(config).store.resolved_url(), file)
    if as_json:
        write_json(
            {
                "store": str(made.store),
                "file": str(made.file),
                "bytes": made.size,
                "jobs": made.jobs,
                "transitions": made.transitions,
            }
        )
    else:
        write_line(
            f"{made.store} copied to {made.file}: {counted(made.jobs, 'jobs')}, "
            f"{counted(made.transitions, 'transitions')}, "
            f"{made.size:,} bytes, checked"
        )
