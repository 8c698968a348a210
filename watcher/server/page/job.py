"""The page of one job: what happened to it and when, what it says, and who was told."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from watcher.curves.charts import HEIGHT, WIDTH, Chart, charts, scale
from watcher.domain.anomalies import anomaly_of
from watcher.domain.jobs import Job, JobFacts, JobKey
from watcher.domain.milestones import skipped_for
from watcher.domain.overview import explain_next_poll
from watcher.domain.states import JobState, is_terminal, mark, named_state
from watcher.domain.telemetry import MetricPoint, thinned
from watcher.domain.time_in_status import status_of
from watcher.domain.transitions import Reason, Transition
from watcher.server.context import ServerContext
from watcher.server.page.concerns import concern_of
from watcher.server.parsing import not_watched

MOST_DELIVERIES = 50
MOST_TRANSITIONS = 100
MOST_DETAILS = 40
"""Lines of a job's files, and of its hyperparameters, that are shown."""
MOST_ROWS = 20
"""Rows of the table beside a chart."""
TIMELINE_WIDTH = 1000
_IS_FILE = re.compile("file|dataset|data_uri|uri$", re.IGNORECASE)
_SAID_ELSEWHERE = frozenset(
    {
        *(
            "id",
            "object",
            "name",
            "status",
            "state",
            "model",
            "base_model",
            "fine_tuned_model",
            "output_model",
            "error",
        ),
        *("created_at", "updated_at", "finished_at", "estimated_finish", "trained_tokens", "events", "organization_id"),
    }
)
"""Fields that the page tells of in its own words, or that tell nothing."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A status that the job was in, and for how long."""

    status: str
    state: JobState | None
    happened_at: datetime | None
    """When it began, as the service says; None where that is not known."""
    observed_at: datetime | None
    """When a poll saw it first; None for one that none saw."""
    lasted: timedelta | None
    """None for a status that a job ends in, and where it is not known."""
    is_exact: bool = True
    """Whether its beginning is known; otherwise it lasted at least so long."""
    reason: str | None = None
    """How the job came to it."""
    unseen: Sequence[str] = ()
    """Statuses before it that no poll saw, and whose time is not known."""
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
    points = await context.store.metric_points(key)
    drawn, lived = charts(points), stays(history, now)
    return {
        "now": now,
        "job": job,
        "facts": job.facts or JobFacts(),
        "is_over": is_terminal(job.state),
        "stays": lived,
        "spanned": sum((stay.lasted for stay in lived if stay.lasted), timedelta()),
        "spanned_until": job.status_since if is_terminal(job.state) else now,
        "left_out": await context.store.count_transitions(key) - len(history),
        "charts": drawn,
        "scales": [scale(chart) for chart in drawn],
        "tables": [table_of(chart) for chart in drawn],
        "details": details(history[-1].document) if history else Details(),
        "concerns": [
            each for each in (concern_of(job, now, context.stuck_after()), _training(job, points, now)) if each
        ],
        "is_measured": bool(points),
        "deliveries": await context.store.views.deliveries_of(key, MOST_DELIVERIES),
        "next_poll": explain_next_poll(job, policy, now) if policy else "never: its source is not in the configuration",
        "duration": duration(job, now),
        "chart_size": (WIDTH, HEIGHT),
        "headline": f"{mark(job.state)} {job.title}",
    }


def _training(job: Job, points: Sequence[MetricPoint], now: datetime) -> str | None:
    """Say what is wrong with how a running job trains."""
    # Whether a step is missed is for those to say who have just asked for it.
    anomaly = anomaly_of(points, None, now) if job.state is JobState.RUNNING else None
    return anomaly.words if anomaly else None


def stays(history: Sequence[Transition], now: datetime) -> list[Stay]:
    """Return how long each status lasted, also those that no poll saw, and its place on the timeline."""
    found = []
    for transition, following in zip(history, [*history[1:], None], strict=False):
        found += [*_passed_over(transition), _stay(transition, following, now)]
    whole = sum((stay.lasted for stay in found if stay.lasted), timedelta()).total_seconds()
    placed, x = [], 0.0
    for stay in found:
        share = stay.lasted.total_seconds() / whole if stay.lasted and whole else 0.0
        width = round(share * TIMELINE_WIDTH, 1)
        placed.append(replace(stay, x=x, width=width))
        x = round(x + width, 1)
    return placed


def _passed_over(transition: Transition) -> list[Stay]:
    """Return the statuses before a transition that no poll saw, as far as the service says when they began."""
    lasted, began = skipped_for(transition), transition.skipped_at
    return [
        Stay(word, named_state(word), began[word], None, lasted.get(word), reason="told by the service's events")
        for word in transition.skipped
        if word in began
    ]


def _stay(transition: Transition, following: Transition | None, now: datetime) -> Stay:
    lasted = status_of(transition, following, now)
    unseen = [word for word in transition.skipped if word not in transition.skipped_at]
    reason = transition.reason if unseen or transition.reason is not Reason.SKIPPED else Reason.ADVANCED
    return Stay(
        transition.status,
        transition.state,
        transition.happened_at,
        transition.observed_at,
        lasted.duration if lasted else None,
        lasted is None or lasted.is_exact,
        str(reason).replace("_", " "),
        unseen,
    )


def duration(job: Job, now: datetime) -> timedelta | None:
    """Return how long the job has taken by its service's own times; None where it does not give them."""
    facts = job.facts
    if facts is None or facts.created_at is None:
        return None
    end = facts.finished_at or (None if is_terminal(job.state) else now)
    return max(end - facts.created_at, timedelta()) if end else None


@dataclass(frozen=True, slots=True)
class Details:
    """What a job object says besides what has a place of its own on the page: names and values."""

    files: Sequence[tuple[str, str]] = ()
    settings: Sequence[tuple[str, str]] = ()


def details(document: str) -> Details:
    """Sort what a job object says into its files and its hyperparameters; the words differ between services."""
    try:
        said = json.loads(document)
    except ValueError:
        return Details()
    if not isinstance(said, dict):
        return Details()
    pairs = _flat({name: value for name, value in said.items() if name not in _SAID_ELSEWHERE}, "")
    found = list(dict.fromkeys(pairs))  # OpenAI says the hyperparameters of a method twice
    files = [pair for pair in found if _IS_FILE.search(pair[0])]
    return Details(files[:MOST_DETAILS], [pair for pair in found if pair not in files][:MOST_DETAILS])


def _flat(value: Mapping[str, object], prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, each in value.items():
        if isinstance(each, dict):
            found += _flat(each, "" if name == "hyperparameters" else f"{prefix}{name}.")
        elif isinstance(each, list) and each and all(isinstance(part, dict) for part in each):
            for part in each:
                found += _flat(part, f"{prefix}{name}.")
        elif each not in (None, "", [], {}):
            found.append((f"{prefix}{name}", _text(each)))
    return found


@dataclass(frozen=True, slots=True)
class PointTable:
    """The values of a chart at some of its steps, for whoever cannot see the curves."""

    series: Sequence[str]
    rows: Sequence[tuple[int, Sequence[float | None]]]
    """A step, and the value of each series there; None where it has none."""


def table_of(chart: Chart) -> PointTable:
    """Return the values at up to `MOST_ROWS` steps of a chart, the first and the last among them."""
    values = {curve.series: {point.step: point.value for point in curve.points} for curve in chart.curves}
    steps = thinned(sorted({step for each in values.values() for step in each}), MOST_ROWS)
    return PointTable(list(values), [(step, [each.get(step) for each in values.values()]) for step in steps])


def _text(value: object) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value)
