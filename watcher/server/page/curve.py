"""Metric points as curves, drawn on the server: no script is needed to see how a job trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from watcher.domain.telemetry import TRAIN_LOSS, VALID_LOSS, MetricPoint

WIDTH, HEIGHT = 900, 220
MOST_DRAWN = 300
"""Points of one curve that are drawn; a screen shows no more."""
MOST_SERIES = 6
_KINDS = ("loss", "accuracy")
_ORDER = {TRAIN_LOSS: 0, VALID_LOSS: 1}


@dataclass(frozen=True, slots=True)
class Curve:
    """One series, as a line in the coordinates of its chart."""

    series: str
    line: str
    """The points of a polyline."""
    first: float
    last: float
    best: float
    """The lowest loss, or the highest accuracy."""
    broken: int
    """How many values are NaN or infinite; they are not drawn."""


@dataclass(frozen=True, slots=True)
class Chart:
    """The curves of one kind over the same steps."""

    kind: str
    """`loss` or `accuracy`."""
    curves: Sequence[Curve]
    low: float
    high: float
    first_step: int
    last_step: int


def charts(points: Sequence[MetricPoint]) -> list[Chart]:
    """Draw what can be drawn of a job's points: the losses, and the accuracies."""
    found = (_chart(kind, [point for point in points if kind in point.series]) for kind in _KINDS)
    return [chart for chart in found if chart]


def _chart(kind: str, points: Sequence[MetricPoint]) -> Chart | None:
    drawn = [point for point in points if isfinite(point.value)]
    if not drawn:
        return None
    low, high = min(point.value for point in drawn), max(point.value for point in drawn)
    first, last = min(point.step for point in drawn), max(point.step for point in drawn)
    frame = _Frame(low, high, first, last)
    names = sorted({point.series for point in drawn}, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))
    curves = [_curve(name, kind, [each for each in points if each.series == name], frame) for name in names]
    return Chart(kind, curves[:MOST_SERIES], low, high, first, last)


@dataclass(frozen=True, slots=True)
class _Frame:
    low: float
    high: float
    first: int
    last: int

    def place(self, point: MetricPoint) -> str:
        """Return where a point lies, as a polyline has it. Halved first: a difference may be infinite."""
        steps, span = self.last - self.first, self.high / 2 - self.low / 2
        x = (point.step - self.first) / steps * WIDTH if steps else WIDTH / 2
        share = (point.value / 2 - self.low / 2) / span if span else 0.5
        return f"{x:.1f},{(1 - share) * HEIGHT:.1f}"


def _curve(series: str, kind: str, points: Sequence[MetricPoint], frame: _Frame) -> Curve:
    drawn = sorted((point for point in points if isfinite(point.value)), key=lambda point: point.step)
    values = [point.value for point in drawn]
    line = " ".join(frame.place(point) for point in _fewer(drawn))
    best = min(values) if kind == "loss" else max(values)
    return Curve(series, line, values[0], values[-1], best, len(points) - len(drawn))


def _fewer(points: Sequence[MetricPoint]) -> Sequence[MetricPoint]:
    """Return at most so many points as are drawn, with the lowest and the highest of what stands for more."""
    if len(points) <= MOST_DRAWN:
        return points
    size = -(-len(points) * 2 // MOST_DRAWN)
    kept: list[MetricPoint] = []
    for start in range(0, len(points), size):
        bucket = points[start : start + size]
        ends = {min(bucket, key=lambda point: point.value), max(bucket, key=lambda point: point.value)}
        kept += sorted(ends, key=lambda point: point.step)
    return kept
