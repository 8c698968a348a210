"""What goes wrong while a job trains, as its metric points show it: long before its status says so.

The one place that judges it: events are told by it, and whoever looks on is shown it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from math import isfinite
from typing import NamedTuple

from watcher.domain.telemetry import TRAIN_LOSS, VALID_LOSS, MetricPoint

WINDOW = 40
"""The last points of each series that are judged."""
_TREND = 12
"""The last of them that say where a series goes: the first half is compared with the second."""
_FEWEST = 6
"""Points of a series that say where it goes."""
_RISE = 1.05
"""So many times what it was before, a loss has risen."""
_CHUNK = 10
"""Values of the training loss whose mean counts: those of single batches jump."""
_CLIMB = 2.0
"""The training loss climbs where the mean of its last values is so many times the lowest one."""
_PATIENCE = 10
"""A step is missed once it is so many times later than the steps before it came apart."""
LEAST_PATIENCE = timedelta(minutes=10)
"""No step is missed sooner where that is an event: people are called by it."""


class Anomaly(StrEnum):
    """What is wrong with how a job trains."""

    NO_NUMBER = "no_number"
    """A loss is infinite or no number: the run is lost."""
    CLIMBS = "climbs"
    """The training loss has turned, and climbed well above its lowest value."""
    DIVERGES = "diverges"
    """The loss on the validation data rises while that on the training data falls: the run learns by heart."""
    STALLED = "stalled"
    """No new step has come for far longer than the pace of the run allows."""

    @property
    def words(self) -> str:
        """What it means, for people."""
        return _WORDS[self]


_WORDS: Mapping[Anomaly, str] = {
    Anomaly.NO_NUMBER: "trains without a usable loss: it is infinite, or not a number",
    Anomaly.CLIMBS: "unlearns: its training loss has climbed far above its lowest value",
    Anomaly.DIVERGES: "may be overfitting: its validation loss rises while its training loss falls",
    Anomaly.STALLED: "makes no progress: no new step for much longer than its steps took",
}


class Pace(NamedTuple):
    """How fast a run goes: so many steps were made between two moments."""

    begin: datetime
    end: datetime
    """When the last step was made."""
    steps: int
    """At least one."""

    @property
    def step(self) -> timedelta:
        """How long a step takes."""
        return (self.end - self.begin) / self.steps


def pace_of(points: Sequence[MetricPoint]) -> Pace | None:
    """Return how far apart the last points of each series came; None where there are too few of them."""
    times = sorted({point.at for point in points})[-_TREND:]
    return Pace(times[0], times[-1], len(times) - 1) if len(times) >= _FEWEST else None


def anomaly_of(
    points: Sequence[MetricPoint], pace: Pace | None, now: datetime, patience: timedelta = LEAST_PATIENCE
) -> Anomaly | None:
    """Return what is wrong with a running job of which these are the last points of each series, by step; else None.

    Without a pace no step is missed: it is not known yet, or there is none left to do.
    """
    series: dict[str, list[MetricPoint]] = {}
    for point in points:
        series.setdefault(point.series, []).append(point)
    if any("loss" in name and not isfinite(of[-1].value) for name, of in series.items()):
        return Anomaly.NO_NUMBER
    train, valid = series.get(TRAIN_LOSS, ()), series.get(VALID_LOSS, ())
    if _climbs(train):
        return Anomaly.CLIMBS
    if _diverges(train, valid):
        return Anomaly.DIVERGES
    return Anomaly.STALLED if stalled_for(pace, now, patience) else None


def stalled_for(pace: Pace | None, now: datetime, patience: timedelta = LEAST_PATIENCE) -> timedelta | None:
    """Return for how long a run has made no step, when that is far longer than its steps took, and than `patience`."""
    silence = now - pace.end if pace else timedelta()
    return silence if pace and silence > max(pace.step * _PATIENCE, patience) else None


def _climbs(train: Sequence[MetricPoint]) -> bool:
    values = [point.value for point in train[-WINDOW:] if isfinite(point.value)]
    chunks = [values[end - _CHUNK : end] for end in range(len(values), _CHUNK - 1, -_CHUNK)]  # the last one first
    means = [sum(chunk) / _CHUNK for chunk in chunks]
    return bool(means) and means[0] > min(means) * _CLIMB > 0


def _diverges(train: Sequence[MetricPoint], valid: Sequence[MetricPoint]) -> bool:
    trained, validated = (_halves(points[-_TREND:]) for points in (train, valid))
    if trained is None or validated is None:
        return False
    return trained[1] < trained[0] and validated[1] > validated[0] * _RISE


def _halves(points: Sequence[MetricPoint]) -> tuple[float, float] | None:
    """Return the mean of the first half and of the last; None for too few points, or where one is no number."""
    values = [point.value for point in points]
    if len(values) < _FEWEST or not all(map(isfinite, values)):
        return None
    half = len(values) // 2
    return sum(values[:half]) / half, sum(values[-half:]) / half
