"""`watcher explain`: what the watcher knows of a job, and what it would do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from watcher.cli.job_reference import JobReference
from watcher.cli.options import ConfigOption, JobArgument, JsonOption, read_settings_for_store
from watcher.cli.output import write_json, write_line
from watcher.cli.store import find_key, with_store
from watcher.cli.tables import Column, write_table
from watcher.domain.deliveries import Delivery
from watcher.domain.jobs import Job, JobFacts
from watcher.domain.outlook import routing_rows, supposed, wishes
from watcher.domain.overview import (
    UNSEEN,
    delivery_row,
    explain_next_poll,
    history_rows,
    job_row,
    with_shown_status,
)
from watcher.domain.silences import Silence, silence_row
from watcher.domain.states import Status, shown_status
from watcher.domain.telemetry import MetricPoint, point_row
from watcher.domain.text import printable
from watcher.domain.transitions import Transition
from watcher.service.bootstrap import utc_now
from watcher.settings.conversion import polling_policy, routes

if TYPE_CHECKING:
    from watcher.store.sql import SqlStore

_ANY = "failed"
"""A status that stands for any: what a silence mutes does not depend on it."""
LATEST = 20
"""How many transitions and deliveries are shown, the newest ones."""
TOLD_COLUMNS: Sequence[Column | str] = [
    "settled_at",
    "notifier",
    "status",
    "state",
    "attempts",
    Column("last_error", is_text=True),
    Column("answer", is_text=True),
    Column("next_attempt", is_text=True),
]
TOLD_IMPORTANT = ["notifier", "status", "state", "last_error", "answer", "settled_at", "next_attempt", "attempts"]


def explain(job: JobArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show a job's history, who was told, its next poll and why then, and who would hear of which status."""
    settings = read_settings_for_store(config)
    now = utc_now()
    found, origins, history, measured, told, silences = with_store(config, lambda store: _find(store, job, now))
    deliveries = [delivery_row(delivery, now, settings.notifiers) for delivery in told]
    next_poll = explain_next_poll(found, polling_policy(settings, found.key.source), now)
    facts = found.facts or JobFacts()
    if as_json:
        document = {
            "job": job_row(found, now) | {"origins": origins},
            "history": history_rows(history, now),
            "next_poll": next_poll,
            "metrics": [point_row(point) for point in measured],
            "deliveries": deliveries,
            "notifiers": wishes(found, routes(settings), now),
            "silences": [silence_row(silence, now) for silence in silences],
        }
        write_json(document)
        return
    write_line(printable(f"{found.title} ({found.key}): {_standing(found)}"))
    for line in [*_told(found, facts, origins), *map(_measured, measured)]:
        write_line(printable(line))
    write_line(f"Next poll: {next_poll}\n")
    columns = ["observed_at", "happened_at", "status", "reason", "lasted"]
    write_table(
        columns,
        ["observed_at", "status", "reason", "lasted", "happened_at"],
        list(map(with_shown_status, history_rows(history, now))),
        "no history yet",
    )
    if len(history) == LATEST:
        write_line("(the latest; `watcher jobs history` shows more)")
    write_line("\nWho was told:")
    write_table(TOLD_COLUMNS, TOLD_IMPORTANT, deliveries, "nobody yet")
    write_line("\nWho would hear of its next status:")
    rows = routing_rows(found, routes(settings), now)
    write_table(["notifier", *(Column(status) for status in Status)], [], rows, "no notifiers are configured")
    for silence in silences:
        row = silence_row(silence, now)
        write_line(printable(f"None hears of it for now: {silence.title} (ends {row['ends']})"))


def _standing(job: Job) -> str:
    return shown_status(job.status, job.state) if job.status else UNSEEN


def _told(job: Job, facts: JobFacts, origins: Sequence[str]) -> Sequence[str]:
    """Return who wants the job, its result, and that of its last poll."""
    error = facts.error
    why = ": ".join(filter(None, (error.code, error.message))) if error else None
    told = {
        "Origins": ", ".join(origins),
        "Model": facts.model,
        "Fine-tuned model": facts.fine_tuned_model,
        "Error": why,
        "Last complaint": job.last_error,
    }
    return [f"{label}: {text}" for label, text in told.items() if text]


def _measured(point: MetricPoint) -> str:
    return f"{point.series}: {point.value:.4g} at step {point.step}"


async def _find(
    store: SqlStore, reference: JobReference, now: datetime
) -> tuple[Job, Sequence[str], Sequence[Transition], Sequence[MetricPoint], Sequence[Delivery], Sequence[Silence]]:
    key = await find_key(store, reference)
    job, origins = await store.job(key), await store.origins([key])
    told = await store.views.deliveries_of(key, LATEST)
    history, points = await store.latest_transitions(key, LATEST), await store.last_points(key)
    found = job or Job(key)
    silences = [each for each in await store.silences(ending_after=now) if each.mutes(supposed(found, _ANY, now), now)]
    return found, origins.get(key, []), history, points, told, silences
