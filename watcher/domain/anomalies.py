"""What goes wrong while a job trains, as its metric points show it: long before its status says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from math import isfinite

from watcher.domain.telemetry import TRAIN_LOSS, VALID_LOSS, MetricPoint

WINDOW = 12
"""The last points of each series that are judged."""
_FEWEST = 6
"""Points of a series that say where it goes."""
_RISE = 1.05
"""So many times what it was before, a loss has risen."""
_PATIENCE = 10
"""A point is missed once it is so many times later than the points before it came apart."""
_LEAST_PATIENCE = timedelta(minutes=10)


class Anomaly(StrEnum):
    """What is wrong with how a job trains."""

    NO_NUMBER = "no_number"
    """A loss is infinite or no number: the run is lost."""
    DIVERGES = "diverges"
    """The loss on the validation data rises while that on the training data falls: the run learns by heart."""
    STALLED = "stalled"
    """No new point has come for far longer than the pace of the run allows."""

    @property
    def words(self) -> str:
        """What it means, for people."""
        return _WORDS[self]


_WORDS: Mapping[Anomaly, str] = {
    Anomaly.NO_NUMBER: "trains without a usable loss: it is infinite, or not a number",
    Anomaly.DIVERGES: "may be overfitting: its validation loss rises while its training loss falls",
    Anomaly.STALLED: "makes no progress: no new step for much longer than its steps took",
}


def anomaly_of(points: Sequence[MetricPoint], now: datetime) -> Anomaly | None:
    """Return what is wrong with a running job of which these are the last points of each series, by step; else None."""
    series: dict[str, list[MetricPoint]] = {}
    for point in points:
        series.setdefault(point.series, []).append(point)
    if any("loss" in name and not isfinite(of[-1].value) for name, of in series.items()):
        return Anomaly.NO_NUMBER
    if _diverges(series.get(TRAIN_LOSS, ()), series.get(VALID_LOSS, ())):
        return Anomaly.DIVERGES
    return Anomaly.STALLED if _is_stalled(points, now) else None


def _diverges(train: Sequence[MetricPoint], valid: Sequence[MetricPoint]) -> bool:
    trained, validated = (_halves(points[-WINDOW:]) for points in (train, valid))
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


def _is_stalled(points: Sequence[MetricPoint], now: datetime) -> bool:
    times = sorted({point.at for point in points})[-WINDOW:]
    if len(times) < _FEWEST:
        return False
    pace = (times[-1] - times[0]) / (len(times) - 1)
    return now - times[-1] > max(pace * _PATIENCE, _LEAST_PATIENCE)
