"""Values that a service tells with the steps of a training, read as points."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from watcher.domain.jobs import Progress
from watcher.domain.telemetry import MetricPoint
from watcher.domain.text import is_printable

MOST_SERIES = 64
"""Series of one step; the services known tell up to 20."""
LONGEST_SERIES = 100
"""Characters of a name."""
_ODD_VALUES = {"nan", "inf", "-inf", "infinity", "-infinity"}


def points_of(
    values: Mapping[str, object], step: int, at: datetime, *, besides: frozenset[str], names: Mapping[str, str]
) -> tuple[MetricPoint, ...]:
    """Return a point for each number among the values; those named in `besides` are none, `names` renames others."""
    numbers = numbers_of(values, besides=besides)
    return tuple(MetricPoint(names.get(name, name), step, number, at) for name, number in numbers.items())


def numbers_of(values: Mapping[str, object], *, besides: frozenset[str] = frozenset()) -> dict[str, float]:
    """Return those of the values that are numbers, but for those named in `besides`."""
    found = [
        (name, number)
        for name, value in values.items()
        if name not in besides and _is_name(name) and (number := number_of(value)) is not None
    ]
    return dict(found[:MOST_SERIES])


def number_of(value: object) -> float | None:
    """Return the number; NaN and infinities as services write them, in text too. None for anything else."""
    if isinstance(value, str):
        return float(value) if value.lower() in _ODD_VALUES else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def newest(told: list[Progress]) -> Progress | None:
    """Return the newest progress; several events share a second."""
    return max(told, key=lambda progress: (progress.at, progress.done), default=None)


def _is_name(name: str) -> bool:
    return 0 < len(name) <= LONGEST_SERIES and is_printable(name)
