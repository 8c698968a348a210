"""A curve that stands in a line of text: a small SVG without scales, which says its values in words as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from watcher.curves.charts import Frame
from watcher.domain.telemetry import MetricPoint

WIDTH, HEIGHT = 96, 20
_MARGIN = 2
"""Above and below the line, so that its thickness is not cut."""


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Where the line goes, and what it shows."""

    line: str
    """The points of a polyline; empty where only one value is known."""
    first: float
    last: float
    step: int
    """The last one."""
    is_broken: bool
    """Whether the last value is NaN or infinite: the training has gone wrong."""


def sparkline(points: Sequence[MetricPoint]) -> Sparkline | None:
    """Draw points that are ordered by step. None: there are none."""
    if not points:
        return None
    drawn = [point for point in points if isfinite(point.value)]
    first, last = points[0].value, points[-1].value
    if len(drawn) < 2:  # noqa: PLR2004 - a line has two ends
        return Sparkline("", first, last, points[-1].step, not isfinite(last))
    low, high = min(point.value for point in drawn), max(point.value for point in drawn)
    frame = Frame(low, high, drawn[0].step, drawn[-1].step, WIDTH, HEIGHT - 2 * _MARGIN)
    line = " ".join(f"{frame.x(point.step):.0f},{frame.y(point.value) + _MARGIN:.0f}" for point in drawn)
    return Sparkline(line, first, last, points[-1].step, not isfinite(last))
