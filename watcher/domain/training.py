"""How a job trains while somebody looks: its last losses, how far it has come, and when it will be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from watcher.domain.anomalies import WINDOW, Anomaly, Pace, anomaly_of, stalled_for
from watcher.domain.jobs import Basis, Forecast, JobFacts, Progress
from watcher.domain.telemetry import TRAIN_LOSS, EventPage, MetricPoint, latest

MOST_LOSSES = 120
"""The last losses that are kept; a line of a terminal shows no more."""
_PATIENCE = timedelta(seconds=5)
"""No training step is missed sooner by who looks on: services tell of them in whole seconds, and of several at once."""


class StepsDone(NamedTuple):
    """So much was done at that time."""

    done: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Training:
    """What was told of a job's training so far."""

    losses: tuple[MetricPoint, ...] = ()
    """The last points of the train loss, by step."""
    recent: Mapping[str, tuple[MetricPoint, ...]] = field(default_factory=dict)
    """The last points of each series, by step: as many as are judged."""
    last: Mapping[str, MetricPoint] = field(default_factory=dict)
    """The last point of each series."""
    begin: StepsDone | None = None
    """The least that is known to have been done at some time."""
    progress: Progress | None = None
    """How far the job has come; None while that is not known."""


def with_page(training: Training, page: EventPage) -> Training:
    """Return the training with what is new of it. Pages come in any order."""
    series: dict[str, list[MetricPoint]] = {}
    for point in page.points:
        series.setdefault(point.series, []).append(point)
    recent = {name: _joined(training.recent.get(name, ()), new, WINDOW) for name, new in series.items()}
    last = {point.series: point for point in latest([*training.last.values(), *page.points])}
    begin = min(
        [*([training.begin] if training.begin else []), *(StepsDone(point.step, point.at) for point in page.points)],
        default=None,
    )
    losses = _joined(training.losses, series.get(TRAIN_LOSS, ()), MOST_LOSSES)
    told = replace(training, losses=losses, recent={**training.recent, **recent}, last=last, begin=begin)
    return with_progress(told, page.progress) if page.progress else told


def _joined(held: Sequence[MetricPoint], new: Sequence[MetricPoint], most: int) -> tuple[MetricPoint, ...]:
    """Return the last points of a series by step; of a step that is told twice, what was told last."""
    points = {point.step: point for point in (*held, *new)}
    return tuple(points[step] for step in sorted(points)[-most:])


def with_progress(training: Training, progress: Progress) -> Training:
    """Return the training after it was told how far the job has come."""
    held = training.progress
    if held and (held.unit, held.done, held.total) == (progress.unit, progress.done, progress.total):
        return training  # said again, later: it has not moved since
    if held and held.unit == progress.unit and held.done > progress.done and held.at >= progress.at:
        return training
    begin = training.begin if held is None or held.unit == progress.unit else None
    return replace(training, progress=progress, begin=begin or StepsDone(progress.done, progress.at))


def expected_end(training: Training, facts: JobFacts, now: datetime, usual: datetime | None = None) -> Forecast | None:
    """Return when a running job is expected to end: by the service's own estimate, else by the steps it has done.

    `usual` is when it would end by how long earlier jobs took: it counts where nothing else is known. None where that
    is not known either; none that has passed.
    """
    if facts.estimated_finish and facts.estimated_finish > now:
        return Forecast(facts.estimated_finish, Basis.ESTIMATED_FINISH, now)
    pace, progress = _pace(training), training.progress
    if pace is None or progress is None or not progress.total:
        return Forecast(usual, Basis.HISTORY, now) if usual and usual > now else None
    end = progress.at + pace.step * max(progress.total - progress.done, 0)
    return Forecast(end, Basis.PROGRESS, now) if end > now else None


def wrong_with(training: Training, now: datetime) -> tuple[Anomaly, timedelta | None] | None:
    """Return what is wrong with how a running job trains, and for how long it has made no step; else None."""
    pace, progress = _pace(training), training.progress
    if progress and progress.total and progress.done >= progress.total:
        pace = None  # it saves what it has learned
    points = [point for of in training.recent.values() for point in of]
    found = anomaly_of(points, pace, now, _PATIENCE)
    return (found, stalled_for(pace, now, _PATIENCE)) if found else None


def _pace(training: Training) -> Pace | None:
    """Return how fast the steps were made; None while that is not known."""
    begin, progress = training.begin, training.progress
    if begin is None or progress is None or progress.done <= begin.done or progress.at <= begin.at:
        return None
    return Pace(begin.at, progress.at, progress.done - begin.done)
