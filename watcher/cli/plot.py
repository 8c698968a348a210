"""A curve in block characters, for a terminal of any width."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from watcher.domain.telemetry import MetricPoint

ROWS = 8
_BLOCKS = " ▁▂▃▄▅▆▇█"
_PARTS = len(_BLOCKS) - 1
_LEAST_COLUMNS = 8


def plot(series: str, points: Sequence[MetricPoint], width: int) -> list[str]:
    """Draw the points of a series, ordered by step, in lines of at most `width` columns.

    Each column is the mean of its steps; few points are several columns wide each. What is NaN or infinite is not
    drawn, but counted below.
    """
    drawn = [point for point in points if isfinite(point.value)]
    odd = len(points) - len(drawn)
    note = f"{odd} of {len(points)} values are NaN or infinite"[:width]
    if not drawn:
        return [series[:width], note]
    low, high = min(point.value for point in drawn), max(point.value for point in drawn)
    labels = [f"{high:.4g}", f"{low:.4g}"]
    margin = max(map(len, labels)) + 1
    columns = max(width - margin, _LEAST_COLUMNS)
    means = [_height(value, low, high) for value in _means(drawn, columns)]
    heights = [means[column * len(means) // columns] for column in range(columns)]
    lines = [series[:width]]
    for row in reversed(range(ROWS)):
        label = labels[0] if row == ROWS - 1 else labels[1] if row == 0 else ""
        lines.append(f"{label:>{margin - 1}} " + "".join(_block(height, row) for height in heights))
    lines.append(f"{'':{margin}}step {drawn[0].step} to {drawn[-1].step}, last {drawn[-1].value:.4g}"[:width])
    return [*lines, note] if odd else lines


def _means(points: Sequence[MetricPoint], columns: int) -> list[float | None]:
    """Return the mean of each column; None for one without a step."""
    first, last = points[0].step, points[-1].step
    count = min(columns, len(points))
    cells: list[list[float]] = [[] for _ in range(count)]
    for point in points:
        cells[(point.step - first) * count // (last - first + 1)].append(point.value)
    # Halved first: the sum of two large values may be infinite.
    return [sum(value / len(cell) for value in cell) if cell else None for cell in cells]


def _height(value: float | None, low: float, high: float) -> int:
    """Return the height in parts of a row; 0 for nothing."""
    if value is None:
        return 0
    span = high / 2 - low / 2
    share = (value / 2 - low / 2) / span if span else 0.0
    return 1 + round(min(max(share, 0.0), 1.0) * (ROWS * _PARTS - 1))


def _block(height: int, row: int) -> str:
    return _BLOCKS[min(max(height - row * _PARTS, 0), _PARTS)]
