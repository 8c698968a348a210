"""What a service tells of a job on its way: events, metric points, checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import NamedTuple

from watcher.domain.jobs import Progress
from watcher.domain.states import JobState

TRAIN_LOSS = "train_loss"
VALID_LOSS = "valid_loss"
FULL_VALID_LOSS = "full_valid_loss"
"""The series that every kind of source names alike; any other one keeps the name that its service gives it."""

MOST_TOLD = 16
"""Series that a message tells of."""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that a service says happened to a job."""

    at: datetime
    message: str
    level: str = "info"
    """`info`, `warn` or `error`, or another word of the service."""
    id: str | None = None
    """None where the service gives events no id."""


class Milestone(NamedTuple):
    """A state that a job entered, as an event of its service says."""

    state: JobState
    at: datetime


class MetricPoint(NamedTuple):
    """One value of a series at one step of the training."""

    series: str
    step: int
    value: float
    """May be NaN or infinite: that is what a loss does that went wrong."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a service saved of a model on the way."""

    id: str
    step: int | None = None
    at: datetime | None = None
    model: str | None = None
    """The name to use it by."""
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventPage:
    """The answer to one question for what is new of a job."""

    events: tuple[JobEvent, ...] = ()
    """The oldest first."""
    points: tuple[MetricPoint, ...] = ()
    """The oldest first."""
    checkpoints: tuple[Checkpoint, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    """The states that the job entered, where the events say so."""
    progress: Progress | None = None
    """The newest one told; None when nothing new says how far the job has come."""
    cursor: str | None = None
    """What to ask the next question with: it brings only what is new since. Opaque to all but the source."""
    has_more: bool = False
    """Whether the next question may be asked at once: this page did not hold all that there is."""


def points_of_checkpoints(checkpoints: Sequence[Checkpoint]) -> list[MetricPoint]:
    """Return what was measured of the checkpoints whose step and time are known."""
    return [
        MetricPoint(series, each.step, value, each.at)
        for each in checkpoints
        if each.step is not None and each.at is not None
        for series, value in each.metrics.items()
    ]


def most_telling(points: Sequence[MetricPoint]) -> tuple[MetricPoint, ...]:
    """Return what a message has room for: the losses first, then the other series by name."""
    losses = (TRAIN_LOSS, VALID_LOSS, FULL_VALID_LOSS)
    ranked = sorted(
        points, key=lambda point: (losses.index(point.series) if point.series in losses else len(losses), point.series)
    )
    return tuple(ranked[:MOST_TOLD])


def point_row(point: MetricPoint) -> dict[str, object]:
    """Show a point for programs: a value that is NaN or infinite as text, for JSON has no number for it."""
    value = point.value if isfinite(point.value) else str(point.value)
    return {"series": point.series, "step": point.step, "value": value, "at": point.at.isoformat()}


def latest(points: Sequence[MetricPoint]) -> list[MetricPoint]:
    """Return the last point of each series, by the name of the series."""
    last: dict[str, MetricPoint] = {}
    for point in points:
        if point.series not in last or last[point.series].step <= point.step:
            last[point.series] = point
    return [last[series] for series in sorted(last)]


def thinned(steps: Sequence[int], most: int) -> Sequence[int]:
    """Return at most so many of the steps, spread evenly; the first and the last stay. `most` is at least 2."""
    while len(steps) > most:
        steps = [*steps[:-1:2], steps[-1]]
    return steps
