"""`watcher silence`: mute what is known to be wrong, until it is mended."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.completion import complete_sources
from watcher.cli.deliveries import MOST
from watcher.cli.exit_codes import Exit
from watcher.cli.found_jobs import read_label
from watcher.cli.options import Command, ConfigOption, JsonOption, as_duration, read_settings_for_store
from watcher.cli.output import tell, write_json, write_line
from watcher.cli.store import with_store
from watcher.cli.tables import Column, write_table
from watcher.domain.durations import write_duration
from watcher.domain.jobs import TEXT_RULE, Job, is_plain
from watcher.domain.silences import LONGEST_SILENCE, Silence, silence_row
from watcher.domain.text import excerpt
from watcher.service.bootstrap import utc_now

if TYPE_CHECKING:
    from watcher.store.sql import SqlStore

app = typer.Typer(
    help="Mute events for a while. A running service follows at once; what is muted is recorded.", no_args_is_help=True
)

COLUMNS: Sequence[Column | str] = [
    *("id", "ends", "labels", "source", Column("reason", is_text=True), "created_by", "until")
]
IMPORTANT = ["id", "ends", "labels", "source", "reason", "created_by", "until"]


def _as_lasting(text: str) -> timedelta:
    lasting: timedelta = as_duration(text)
    if not timedelta() < lasting <= LONGEST_SILENCE:
        raise typer.BadParameter(f"{text!r} is not a duration of at most {write_duration(LONGEST_SILENCE)}")
    return lasting


@app.command(cls=Command)
def add(
    lasting: Annotated[
        timedelta, typer.Option("--for", parser=_as_lasting, metavar="DURATION", help="For how long, such as 2h or 3d.")
    ],
    label: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="What carries this label; repeatable.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", autocompletion=complete_sources, help="What is of this source.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything.")] = False,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; it stands with what is muted.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Mute events that have every label and the source given, from now on. What is due already still goes out."""
    if everything == bool(label or source):
        raise typer.BadParameter("expected --label or --source, or else --all", param_hint="--label")
    if reason is not None and not is_plain(reason):
        raise typer.BadParameter(
            f"{excerpt(reason, 60)!r} is not a reason: expected {TEXT_RULE}", param_hint="--reason"
        )
    sources = read_settings_for_store(config).sources
    if source is not None and source not in sources:
        known = ", ".join(sorted(sources))
        raise typer.BadParameter(f"{excerpt(source, 60)!r} is no source; there are: {known}", param_hint="--source")
    now = utc_now()
    labels = dict(map(read_label, label or []))
    wanted = Silence("new", now + lasting, labels, source, reason, created_by=_user())
    kept, jobs = with_store(config, lambda store: _add(store, wanted, now))
    made = silence_row(kept, now)
    if labels and not any(labels.items() <= job.labels.items() for job in jobs):
        carried = ", ".join(f"{key}={value}" for key, value in labels.items())
        tell(f"no watched job has {carried} now; `watcher jobs list --json` shows the labels that there are")
    if as_json:
        write_json(made)
    else:
        write_line(f"silence {made['id']} until {made['until']}; `watcher silence expire {made['id']}` ends it")


async def _add(store: SqlStore, silence: Silence, now: datetime) -> tuple[Silence, Sequence[Job]]:
    """Record the silence; return it with the watched jobs, where it is about labels of theirs."""
    return await store.add_silence(silence, now), await store.jobs() if silence.labels else ()


def _user() -> str | None:
    """Return who gives the command; None where the system has no name for that."""
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return None


@app.command("list", cls=Command)
def list_silences(
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the silences in force, the newest first. `deliveries list --state muted` shows what they have muted."""
    now = utc_now()
    found = with_store(config, lambda store: store.silences(ending_after=None if everything else now))
    rows = [silence_row(silence, now) for silence in found]
    if as_json:
        write_json(rows)
    else:
        write_table(COLUMNS, IMPORTANT, rows, "no silences" if everything else "no silence is in force")


@app.command(cls=Command)
def expire(
    number: Annotated[int, typer.Argument(metavar="ID", min=1, max=MOST, help="A silence, as `list` numbers it.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """End a silence now. What it has muted stays muted. Exit 1 when it is not in force."""
    has_ended = with_store(config, lambda store: store.expire_silence(number, utc_now()))
    if as_json:
        write_json({"id": number, "has_ended": has_ended})
    if not has_ended:
        tell(f"silence {number} is not in force; `watcher silence list` shows those that are")
        raise typer.Exit(Exit.FAILED)
    if not as_json:
        write_line(f"silence {number} has ended")
