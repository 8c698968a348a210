"""`watcher routes`: try the routes of the notifiers, without sending anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.completion import complete_jobs, complete_sources, complete_states
from watcher.cli.found_jobs import read_label
from watcher.cli.job_reference import JobReference
from watcher.cli.options import Command, ConfigOption, JsonOption, as_job, read_settings_for_store
from watcher.cli.output import write_json, write_line
from watcher.cli.store import find_key, with_store
from watcher.cli.tables import Column, write_table
from watcher.domain.jobs import TEXT_RULE, Job, JobKey, is_plain
from watcher.domain.outlook import outlook, supposed
from watcher.domain.silences import Silence
from watcher.domain.states import JobState
from watcher.domain.text import excerpt, printable
from watcher.service.bootstrap import utc_now
from watcher.settings.conversion import routes as routes_of
from watcher.settings.conversion import usual_source

if TYPE_CHECKING:
    from watcher.store.sql import SqlStore

app = typer.Typer(help="Try which notifiers hear of what.", no_args_is_help=True)

COLUMNS: Sequence[Column | str] = ["notifier", "hears", "when", Column("why", is_text=True)]
IMPORTANT = ["notifier", "hears", "when", "why"]
SOME_JOB = "ftjob-example"
"""The id of a job that is made up for the question."""


@app.callback()
def _group() -> None:
    """Try which notifiers hear of what."""


@app.command(cls=Command)
def test(
    state: Annotated[
        str,
        typer.Option(
            metavar="STATE",
            autocompletion=complete_states,
            help="What happens to it: a state or a status, or else `missing` or `stuck`.",
        ),
    ],
    job: Annotated[
        JobReference | None,
        typer.Option(parser=as_job, metavar="ID", autocompletion=complete_jobs, help="A watched job: ID or SOURCE/ID."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label of a job that is made up; repeatable.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", autocompletion=complete_sources, help="The source of that job.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="The name of that job.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show which notifiers would hear of an event of a job if it happened now, when, and why not. Nothing is sent."""
    if job and (label or source or name):
        raise typer.BadParameter("expected either a watched job, or labels, source and name", param_hint="--job")
    for option, text in (("--state", state), ("--name", name)):
        if text is not None and not is_plain(text):
            raise typer.BadParameter(f"{excerpt(text, 60)!r} is not {TEXT_RULE}", param_hint=option)
    settings = read_settings_for_store(config)
    made_up = Job(
        JobKey(source or usual_source(settings), SOME_JOB),
        name,
        dict(map(read_label, label or [])),
        str(JobState.QUEUED),
        JobState.QUEUED,
    )
    now = utc_now()
    found, silences = with_store(config, lambda store: _find(store, job, made_up, now))
    rows = outlook(supposed(found, state, now), routes_of(settings), silences, now)
    if as_json:
        write_json([{**row, "hears": row["hears"] == "yes"} for row in rows])
        return
    write_line(printable(f"{found.title} ({found.key}), if it were {state} now:"))
    write_table(COLUMNS, IMPORTANT, rows, "no notifiers are configured")


async def _find(
    store: SqlStore, reference: JobReference | None, made_up: Job, now: datetime
) -> tuple[Job, Sequence[Silence]]:
    job = await store.job(await find_key(store, reference)) if reference else made_up
    return job or made_up, (await store.silences(ending_after=now))[::-1]
