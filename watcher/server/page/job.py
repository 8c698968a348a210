"""The page of one job: what happened to it and when, what it says, and who was told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from watcher.curves.charts import HEIGHT, WIDTH, charts
from watcher.domain.jobs import Job, JobFacts, JobKey
from watcher.domain.overview import explain_next_poll
from watcher.domain.states import JobState, is_terminal
from watcher.domain.time_in_status import status_of
from watcher.domain.transitions import Transition
from watcher.server.context import ServerContext
from watcher.server.parsing import not_watched

MOST_DELIVERIES = 50
MOST_TRANSITIONS = 100
MOST_DETAILS = 40
"""Lines of a job's hyperparameters that are shown."""
TIMELINE_WIDTH = 1000


@dataclass(frozen=True, slots=True)
class Stay:
    """A status that the job was in, and for how long."""

    transition: Transition
    lasted: timedelta | None
    """None for a status that a job ends in."""
    is_exact: bool
    """Whether it was seen to begin; otherwise it lasted at least so long."""
    x: float = 0.0
    """Where it begins on the timeline."""
    width: float = 0.0


async def job_page(context: ServerContext, key: JobKey) -> dict[str, Any]:
    """Return what the page shows. Raises Problem for a job that is not watched."""
    job = await context.store.job(key, include_removed=False)
    if job is None:
        raise not_watched(key)
    now = context.clock()
    newest_first = await context.store.latest_transitions(key, MOST_TRANSITIONS)
    history = list(reversed(newest_first))
    policy = context.polling_policy(key.source)
    return {
        "now": now,
        "job": job,
        "facts": job.facts or JobFacts(),
        "stays": stays(history, now),
        "left_out": await context.store.count_transitions(key) - len(history),
        "charts": charts(await context.store.metric_points(key)),
        "details": details(history[-1].document) if history else [],
        "deliveries": await context.store.views.deliveries_of(key, MOST_DELIVERIES),
        "next_poll": explain_next_poll(job, policy, now) if policy else "never: its source is not in the configuration",
        "duration": duration(job, now),
        "chart_size": (WIDTH, HEIGHT),
        "headline": f"{_sign(job)}{job.title}",
    }


def stays(history: Sequence[Transition], now: datetime) -> list[Stay]:
    """Return how long each status lasted, and its place on the timeline."""
    found = []
    for transition, following in zip(history, [*history[1:], None], strict=False):
        lasted = status_of(transition, following, now)
        found.append(Stay(transition, lasted.duration if lasted else None, lasted is None or lasted.is_exact))
    whole = sum((stay.lasted for stay in found if stay.lasted), timedelta()).total_seconds()
    placed, x = [], 0.0
    for stay in found:
        share = stay.lasted.total_seconds() / whole if stay.lasted and whole else 0.0
        width = round(share * TIMELINE_WIDTH, 1)
        placed.append(Stay(stay.transition, stay.lasted, stay.is_exact, x, width))
        x = round(x + width, 1)
    return placed


def duration(job: Job, now: datetime) -> timedelta | None:
    """Return how long the job has taken by its service's own times; None where it does not give them."""
    facts = job.facts
    if facts is None or facts.created_at is None:
        return None
    end = facts.finished_at or (None if is_terminal(job.state) else now)
    return max(end - facts.created_at, timedelta()) if end else None


def details(document: str) -> list[tuple[str, str]]:
    """Return the hyperparameters and the files that a job object names; other services may say nothing here."""
    try:
        said = json.loads(document)
    except ValueError:
        return []
    if not isinstance(said, dict):
        return []
    parts = _flat(said.get("hyperparameters"), "") + _flat(said.get("method"), "method.")
    files = [
        (name, str(said[name])) for name in ("training_file", "validation_file", "seed") if said.get(name) is not None
    ]
    return (files + parts)[:MOST_DETAILS]


def _flat(value: object, prefix: str) -> list[tuple[str, str]]:
    if not isinstance(value, dict):
        return []
    found: list[tuple[str, str]] = []
    for name, each in value.items():
        is_table = isinstance(each, dict)
        found += _flat(each, f"{prefix}{name}.") if is_table else [(f"{prefix}{name}", _text(each))]
    return [pair for pair in found if pair[1]]


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _sign(job: Job) -> str:
    return {JobState.FAILED: "✘ ", JobState.SUCCEEDED: "✔ "}.get(job.state or JobState.UNKNOWN, "")
