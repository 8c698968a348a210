"""`watcher jobs`: what is watched."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.completion import complete_sources, complete_statuses
from watcher.cli.deliveries import MOST
from watcher.cli.discover import discover
from watcher.cli.found_jobs import read_label
from watcher.cli.job_reference import JobReference
from watcher.cli.options import Command, ConfigOption, JobArgument, JobsArgument, JsonOption, read_settings_for_store
from watcher.cli.output import write_json, write_line
from watcher.cli.paging import PAGE, Row, first_of, tell_of_more, write_json_list
from watcher.cli.selection import spec_of
from watcher.cli.store import find_key, tell_if_unattended, with_store
from watcher.cli.tables import Column, write_table
from watcher.domain.jobs import COMMAND, TEXT_RULE, Job, JobKey, JobSpec, completed, is_plain
from watcher.domain.overview import UNSEEN, history_rows, job_row, result_of, skipped_of, with_shown_status
from watcher.domain.states import JobState
from watcher.domain.text import excerpt
from watcher.domain.transitions import Transition
from watcher.service.bootstrap import utc_now

if TYPE_CHECKING:
    from watcher.store.sql import SqlStore

app = typer.Typer(
    help="Show and change what is watched; a running service follows within two seconds.", no_args_is_help=True
)

USUAL_LIMIT = 1_000
"""Rows that are shown to people, who will hardly read more."""
LimitOption = Annotated[int, typer.Option(min=1, max=MOST, help="How many at most; with --json all are written.")]

COLUMNS: Sequence[Column | str] = [
    "source",
    "id",
    Column("name", is_text=True),
    "status",
    "for",
    "next_poll",
    Column("result", is_text=True),
    Column("trouble", is_text=True),
    "origins",
]
IMPORTANT = ["id", "status", "result", "trouble", "name", "for", "next_poll", "source", "origins"]
HISTORY_COLUMNS: Sequence[Column | str] = [
    "observed_at",
    "happened_at",
    "status",
    "reason",
    "skipped",
    "lasted",
    Column("result", is_text=True),
    "event_id",
]
IMPORTANT_IN_HISTORY = [
    "observed_at",
    "status",
    "result",
    "lasted",
    "reason",
    "skipped",
    "happened_at",
    "event_id",
]


@dataclass(frozen=True, slots=True)
class _Filter:
    """Which jobs to show: those that are as everything given says."""

    states: Sequence[JobState]
    statuses: Sequence[str]
    labels: Mapping[str, str]
    source: str | None
    name: str | None

    def lets_through(self, job: Job) -> bool:
        return (
            (not self.states or job.state in self.states)
            and (not self.statuses or (job.status or UNSEEN) in self.statuses)
            and self.labels.items() <= job.labels.items()
            and self.source in {None, job.key.source}
            and (self.name is None or self.name.casefold() in job.title.casefold())
        )


@app.command("list", cls=Command)
def list_jobs(
    state: Annotated[
        list[JobState] | None, typer.Option(metavar="STATE", help="Those in this state; repeatable.")
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATUS",
            autocompletion=complete_statuses,
            help="Those whose service says this status; repeatable.",
        ),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Those with this label; repeatable.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", autocompletion=complete_sources, help="Those of this source.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="Those whose name has this in it.")] = None,
    limit: LimitOption = USUAL_LIMIT,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the watched jobs and how they stand."""
    wanted = _Filter(state or (), status or (), dict(map(read_label, label or [])), source, name)
    now = utc_now()

    async def show(store: SqlStore) -> None:
        await tell_if_unattended(store, now)
        if as_json:
            await write_json_list(_pages(store, wanted, now))
            return
        rows, more = await first_of(_pages(store, wanted, now), limit)
        shown = list(map(_job_for_people, rows))
        is_anything_watched = bool(shown or await store.job_counts())
        write_table(COLUMNS, IMPORTANT, shown, f"no {'such ' if is_anything_watched else ''}jobs are watched")
        tell_of_more(more)

    with_store(config, show)


@app.command(cls=Command)
def add(
    ids: JobsArgument,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="What people call the job.")] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label; repeatable.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Watch jobs. One that has ended is asked for once more. What is not given stays as it is."""
    if name is not None and not is_plain(name):
        raise typer.BadParameter(f"{excerpt(name, 60)!r} is not a name: expected {TEXT_RULE}", param_hint="--name")
    settings = read_settings_for_store(config)
    specs = [spec_of(reference, settings) for reference in ids]
    labels = dict(map(read_label, label or []))
    added, is_unattended = with_store(config, lambda store: _add(store, specs, name, labels))
    if as_json:
        write_json([{"source": key.source, "id": key.id} for key in added])
    for key in () if as_json else added:
        write_line(f"{'added' if is_unattended else 'watching'} {key}")


@app.command(cls=Command)
def remove(ids: JobsArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Stop watching jobs. Their history stays, and pending deliveries are still made."""
    configured = {job.key for job in read_settings_for_store(config).jobs}
    removed = with_store(config, lambda store: _remove(store, ids))
    if as_json:
        rows = [
            {"source": key.source, "id": key.id, "was_watched": was, "is_configured": key in configured}
            for key, was in removed.items()
        ]
        write_json(rows)
        return
    for key, was_watched in removed.items():
        comes_back = "; it is in the configuration, and comes back at the next start or reload"
        note = comes_back if key in configured else ""
        write_line(f"no longer watching {key}{note}" if was_watched else f"{key} was not watched any more")


@app.command(cls=Command)
def history(
    job: JobArgument, limit: LimitOption = USUAL_LIMIT, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Show the recorded transitions of a job, the newest first."""
    now = utc_now()

    async def show(store: SqlStore) -> None:
        key = await find_key(store, job)
        if as_json:
            await write_json_list(_history_pages(store, key, now))
            return
        shown = history_rows(await store.latest_transitions(key, limit), now)
        write_table(
            HISTORY_COLUMNS,
            IMPORTANT_IN_HISTORY,
            [_for_people(row) | {"skipped": skipped_of(row)} for row in shown],
            "not seen yet",
        )
        tell_of_more(await store.count_transitions(key) - len(shown))

    with_store(config, show)


app.command(cls=Command)(discover)


async def _pages(store: SqlStore, wanted: _Filter, now: datetime) -> AsyncIterator[Sequence[Row]]:
    """Read the jobs that are wanted, as rows, in small pages: there may be tens of thousands."""
    after: JobKey | None = None
    while page := await store.page_of_jobs(after=after, limit=PAGE, source=wanted.source):
        shown = [job for job in page if wanted.lets_through(job)]
        origins = await store.origins([job.key for job in shown])
        yield [job_row(job, now) | {"origins": origins.get(job.key, [])} for job in shown]
        after = page[-1].key


async def _history_pages(store: SqlStore, key: JobKey, now: datetime) -> AsyncIterator[Sequence[Row]]:
    """Read the transitions of a job, as rows, the newest first."""
    last: Transition | None = None
    while page := await store.latest_transitions(key, PAGE, last.seq if last else None):
        yield history_rows(page, now, last)
        last = page[-1]


def _for_people(row: Row) -> Row:
    return with_shown_status(row) | {"result": result_of(row)}


def _job_for_people(row: Row) -> Row:
    return _for_people(row) | {"name": row["title"] if row["title"] != row["id"] else None}


async def _add(
    store: SqlStore, specs: Sequence[JobSpec], name: str | None, labels: Mapping[str, str]
) -> tuple[Sequence[JobKey], bool]:
    given = [JobSpec(spec.key, name or spec.name, {**spec.labels, **labels}) for spec in specs]
    wanted = [completed(spec, await store.job(spec.key)) for spec in given]
    await store.upsert_jobs(wanted, utc_now(), ask_again=True, origin=COMMAND)
    return [spec.key for spec in wanted], await tell_if_unattended(store, utc_now())


async def _remove(store: SqlStore, references: Sequence[JobReference]) -> Mapping[JobKey, bool]:
    keys = [await find_key(store, reference) for reference in references]
    return {key: await store.remove_job(key, utc_now()) for key in keys}
