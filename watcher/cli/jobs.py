"""`watcher jobs`: what is watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.options import (
    ConfigOption,
    JobArgument,
    JobReference,
    JobsArgument,
    JsonOption,
    read_settings_for_store,
)
from watcher.cli.output import write_json, write_line, write_table
from watcher.cli.selection import spec_of
from watcher.cli.store import find_key, with_store
from watcher.domain.jobs import TEXT_RULE, JobKey, JobSpec, completed, is_plain
from watcher.domain.overview import history_rows, job_row
from watcher.domain.text import excerpt
from watcher.domain.transitions import Transition
from watcher.service.bootstrap import utc_now

if TYPE_CHECKING:
    from watcher.store.sql import SqlStore

app = typer.Typer(
    help="Show and change what is watched; a running service follows within two seconds.", no_args_is_help=True
)


@app.command("list")
def list_jobs(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the watched jobs and how they stand."""
    now = utc_now()
    rows = [job_row(job, now) for job in with_store(config, lambda store: store.jobs())]
    if as_json:
        write_json(rows)
    else:
        write_table(["source", "id", "name", "status", "for", "next_poll", "trouble"], rows, "no jobs are watched")


@app.command()
def add(
    ids: JobsArgument,
    name: Annotated[str | None, typer.Option(help="What people call the job.")] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="A label; repeatable.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Watch jobs. One that has ended is asked for once more. What is not given stays as it is."""
    if name is not None and not is_plain(name):
        raise typer.BadParameter(f"{excerpt(name, 60)!r} is not a name: expected {TEXT_RULE}", param_hint="--name")
    settings = read_settings_for_store(config)
    specs = [spec_of(reference, settings) for reference in ids]
    labels = dict(map(_label, label or []))
    added = with_store(config, lambda store: _add(store, specs, name, labels))
    if as_json:
        write_json([{"source": key.source, "id": key.id} for key in added])
    for key in () if as_json else added:
        write_line(f"watching {key}")


@app.command()
def remove(ids: JobsArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Watch jobs no more. What was recorded of them stays, and what is owed is still delivered."""
    configured = {JobKey(job.source, job.id) for job in read_settings_for_store(config).jobs}
    removed = with_store(config, lambda store: _remove(store, ids))
    if as_json:
        write_json([{"source": key.source, "id": key.id, "was_watched": was} for key, was in removed.items()])
        return
    for key, was_watched in removed.items():
        note = "; it is in the configuration, and comes back at the next start" if key in configured else ""
        write_line(f"no longer watching {key}{note}" if was_watched else f"{key} was not watched any more")


@app.command()
def history(job: JobArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show every recorded transition of a job."""
    rows = history_rows(with_store(config, lambda store: _history(store, job)), utc_now())
    if as_json:
        write_json(rows)
    else:
        write_table(["observed_at", "status", "reason", "skipped", "lasted", "event_id"], rows, "not seen yet")


async def _add(
    store: SqlStore, specs: Sequence[JobSpec], name: str | None, labels: Mapping[str, str]
) -> Sequence[JobKey]:
    given = [JobSpec(spec.key, name or spec.name, {**spec.labels, **labels}) for spec in specs]
    wanted = [completed(spec, await store.job(spec.key)) for spec in given]
    await store.upsert_jobs(wanted, utc_now(), ask_again=True)
    return [spec.key for spec in wanted]


async def _remove(store: SqlStore, references: Sequence[JobReference]) -> Mapping[JobKey, bool]:
    keys = [await find_key(store, reference) for reference in references]
    return {key: await store.remove_job(key, utc_now()) for key in keys}


async def _history(store: SqlStore, reference: JobReference) -> Sequence[Transition]:
    return await store.history(await find_key(store, reference))


def _label(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not is_plain(name) or not is_plain(value):
        raise typer.BadParameter(f"{excerpt(text, 60)!r} is not a label: expected KEY=VALUE, each of {TEXT_RULE}")
    return name, value
