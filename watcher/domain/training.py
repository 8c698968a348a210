"""How a job trains while somebody looks: its last losses, how far it has come, and when it will be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import isfinite
from typing import NamedTuple

from watcher.domain.jobs import Basis, Forecast, JobFacts, Progress
from watcher.domain.telemetry import TRAIN_LOSS, EventPage, MetricPoint, latest

MOST_LOSSES = 120
"""The last losses that are kept; a line of a terminal shows no more."""
_STALL = timedelta(seconds=5)
"""No training step is missed sooner: services tell of them in whole seconds, and of several at once."""
_STALL_STEPS = 10
"""A step is missed once it is so many times later than the steps before it came."""
_RISE = 1.5
"""A loss that is so many times the lowest one of the last points has risen."""
_FEW = 20
"""Fewer losses say nothing of where they go."""


class StepsDone(NamedTuple):
    """So much was done at that time."""

    done: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Training:
    """What was told of a job's training so far."""

    losses: tuple[MetricPoint, ...] = ()
    """The last points of the train loss, by step."""
    last: Mapping[str, MetricPoint] = field(default_factory=dict)
    """The last point of each series."""
    begin: StepsDone | None = None
    """The least that is known to have been done at some time."""
    progress: Progress | None = None
    """How far the job has come; None while that is not known."""


def with_page(training: Training, page: EventPage) -> Training:
    """Return the training with what is new of it. Pages come in any order."""
    losses = {point.step: point for point in training.losses}
    losses.update((point.step, point) for point in page.points if point.series == TRAIN_LOSS)
    kept = tuple(losses[step] for step in sorted(losses)[-MOST_LOSSES:])
    last = {point.series: point for point in latest([*training.last.values(), *page.points])}
    begin = min(
        [*([training.begin] if training.begin else []), *(StepsDone(point.step, point.at) for point in page.points)],
        default=None,
    )
    told = replace(training, losses=kept, last=last, begin=begin)
    return with_progress(told, page.progress) if page.progress else told


def with_progress(training: Training, progress: Progress) -> Training:
    """Return the training after it was told how far the job has come."""
    held = training.progress
    if held and (held.unit, held.done, held.total) == (progress.unit, progress.done, progress.total):
        return training  # said again, later: it has not moved since
    if held and held.unit == progress.unit and held.done > progress.done and held.at >= progress.at:
        return training
    begin = training.begin if held is None or held.unit == progress.unit else None
    return replace(training, progress=progress, begin=begin or StepsDone(progress.done, progress.at))


def expected_end(training: Training, facts: JobFacts, now: datetime) -> Forecast | None:
    """Return when a running job is expected to end: by the service's own estimate, else by the steps it has done.

    None where that is not known; none that has passed.
    """
    if facts.estimated_finish and facts.estimated_finish > now:
        return Forecast(facts.estimated_finish, Basis.ESTIMATED_FINISH, now)
    pace, progress = _pace(training), training.progress
    if pace is None or progress is None or not progress.total:
        return None
    end = progress.at + pace * max(progress.total - progress.done, 0)
    return Forecast(end, Basis.PROGRESS, now) if end > now else None


def stalled_for(training: Training, now: datetime) -> timedelta | None:
    """Return for how long a running job has made no step, when that is far longer than its steps took."""
    pace, progress = _pace(training), training.progress
    if pace is None or progress is None or (progress.total and progress.done >= progress.total):
        return None
    silence = now - progress.at
    return silence if silence > max(pace * _STALL_STEPS, _STALL) else None


def has_risen(training: Training) -> bool:
    """Tell whether the loss has turned and climbed well above its lowest, or is no number any more."""
    if training.losses and not isfinite(training.losses[-1].value):
        return True
    values = [point.value for point in training.losses if isfinite(point.value)]
    return len(values) >= _FEW and sum(values[-3:]) / 3 > min(values) * _RISE > 0


def _pace(training: Training) -> timedelta | None:
    """Return how long a step takes; None while that is not known."""
    begin, progress = training.begin, training.progress
    if begin is None or progress is None or progress.done <= begin.done or progress.at <= begin.at:
        return None
    return (progress.at - begin.at) / (progress.done - begin.done)
