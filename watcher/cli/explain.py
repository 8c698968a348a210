"""`watcher explain`: what the watcher knows of a job, and what it would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from watcher.cli.options import ConfigOption, JobArgument, JobReference, JsonOption, read_settings_for_store
from watcher.cli.output import write_json, write_line, write_table
from watcher.cli.store import find_key, with_store
from watcher.domain.jobs import Job
from watcher.domain.overview import explain_next_poll, history_rows, job_row, routing_rows
from watcher.domain.states import Status
from watcher.domain.text import printable
from watcher.domain.transitions import Transition
from watcher.service.bootstrap import utc_now
from watcher.settings.conversion import polling_policy, routes

if TYPE_CHECKING:
    from watcher.store.sql import SqlStore


def explain(job: JobArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show a job's history, its next poll and why then, and which notifiers would hear of which status."""
    settings = read_settings_for_store(config)
    found, history = with_store(config, lambda store: _find(store, job))
    now = utc_now()
    document = {
        "job": job_row(found, now),
        "history": history_rows(history, now),
        "next_poll": explain_next_poll(found, polling_policy(settings, found.key.source), now),
        "notifiers": routing_rows(found, routes(settings), now),
    }
    if as_json:
        write_json(document)
        return
    write_line(printable(f"{found.title} ({found.key}): {found.status or 'not seen yet'}"))
    if found.last_error:
        write_line(f"Last complaint: {printable(found.last_error)}")
    write_line(f"Next poll: {document['next_poll']}\n")
    write_table(["observed_at", "status", "reason", "lasted"], history_rows(history, now), "no history yet")
    write_line("\nWho would hear of its next status:")
    write_table(["notifier", *Status], routing_rows(found, routes(settings), now), "no notifiers are configured")


async def _find(store: SqlStore, reference: JobReference) -> tuple[Job, Sequence[Transition]]:
    key = await find_key(store, reference)
    job = await store.job(key)
    return job or Job(key), await store.history(key)
