"""Metric points as lines in the coordinates of a chart: what every picture of a job's training is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10

from watcher.domain.slices import slices
from watcher.domain.telemetry import TRAIN_LOSS, VALID_LOSS, MetricPoint

WIDTH, HEIGHT = 900, 220
"""The usual size of a chart; whoever shows it may stretch it."""
MOST_DRAWN = 300
"""Points of one curve that are drawn; a screen shows no more."""
MOST_SERIES = 6
_KINDS = ("loss", "accuracy")
_ORDER = {TRAIN_LOSS: 0, VALID_LOSS: 1}
_NICE = (1, 2, 5, 10)
"""What a step between two marks of a scale may begin with."""


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
    points: Sequence[MetricPoint]
    """What is drawn, by step."""


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


def charts(points: Sequence[MetricPoint], width: int = WIDTH, height: int = HEIGHT) -> list[Chart]:
    """Draw what can be drawn of a job's points: the losses, and the accuracies."""
    found = (_chart(kind, [point for point in points if kind in point.series], (width, height)) for kind in _KINDS)
    return [chart for chart in found if chart]


def scale(chart: Chart, about: int = 5, height: int = HEIGHT) -> list[tuple[float, float]]:
    """Return some round values of a chart of this height, and how far down each lies."""
    frame = Frame(chart.low, chart.high, chart.first_step, chart.last_step, WIDTH, height)
    return [(round(frame.y(value), 1), value) for value in marks(chart.low, chart.high, about) or [chart.low]]


def marks(low: float, high: float, about: int) -> list[float]:
    """Return round numbers from `low` to `high`, about so many of them; none where there is no span between the two."""
    rough = high / about - low / about
    if not rough > 0 or not isfinite(rough):
        return []
    power = 10.0 ** floor(log10(rough))
    step = next((nice * power for nice in _NICE if nice * power >= rough), rough)
    first = floor(low / step)
    found = ((first + number) * step for number in range(2 * about + 3))
    return [each for each in found if low <= each <= high]


def _chart(kind: str, points: Sequence[MetricPoint], size: tuple[int, int]) -> Chart | None:
    drawn = [point for point in points if isfinite(point.value)]
    if not drawn:
        return None
    low, high = min(point.value for point in drawn), max(point.value for point in drawn)
    first, last = min(point.step for point in drawn), max(point.step for point in drawn)
    frame = Frame(low, high, first, last, *size)
    names = sorted({point.series for point in drawn}, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))
    curves = [_curve(name, kind, [each for each in points if each.series == name], frame) for name in names]
    return Chart(kind, curves[:MOST_SERIES], low, high, first, last)


@dataclass(frozen=True, slots=True)
class Frame:
    """Which values and steps a chart spans, and how large it is."""

    low: float
    high: float
    first: int
    last: int
    width: int
    height: int

    def x(self, step: float) -> float:
        """Return how far to the right a step lies."""
        steps = self.last - self.first
        return (step - self.first) / steps * self.width if steps else self.width / 2

    def y(self, value: float) -> float:
        """Return how far down a value lies. Halved first: a difference may be infinite."""
        span = self.high / 2 - self.low / 2
        share = (value / 2 - self.low / 2) / span if span else 0.5
        return (1 - share) * self.height

    def place(self, point: MetricPoint) -> str:
        """Return where a point lies, as a polyline has it."""
        return f"{self.x(point.step):.1f},{self.y(point.value):.1f}"


def _curve(series: str, kind: str, points: Sequence[MetricPoint], frame: Frame) -> Curve:
    drawn = sorted((point for point in points if isfinite(point.value)), key=lambda point: point.step)
    values = [point.value for point in drawn]
    shown = fewer(drawn)
    line = " ".join(map(frame.place, shown))
    best = min(values) if kind == "loss" else max(values)
    return Curve(series, line, values[0], values[-1], best, len(points) - len(drawn), shown)


def fewer(points: Sequence[MetricPoint], most: int = MOST_DRAWN) -> Sequence[MetricPoint]:
    """Return at most `most` points, by step, with the lowest and the highest of what each stands for."""
    if len(points) <= most:
        return points
    size = -(-len(points) * 2 // most)
    kept: list[MetricPoint] = []
    for bucket in slices(points, size):
        ends = {min(bucket, key=lambda point: point.value), max(bucket, key=lambda point: point.value)}
        kept += sorted(ends, key=lambda point: point.step)
    return kept
