"""Durations as people write and read them."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")

LONGEST_DURATION = timedelta(days=3650)
"""What people write is at most this long, so that it can be added to any time there is."""
DURATION_RULE = (
    "a duration such as '30s', '5m', '1h30m' or '0.5s', or a number of seconds, more than zero and at most 3650d"
)
"""What `parse_duration` accepts, for error messages."""


def parse_duration(given: object) -> timedelta:
    """Read a duration: a number of seconds, or numbers with the units d, h, m, s and ms.

    Raises ValueError for anything else, and for what is not more than zero or more than ten years.
    """
    try:
        duration = given if isinstance(given, timedelta) else timedelta(seconds=_seconds(given))
    except (OverflowError, ValueError):
        raise ValueError(DURATION_RULE) from None
    if not timedelta() < duration <= LONGEST_DURATION:
        raise ValueError(DURATION_RULE)
    return duration


def format_duration(duration: timedelta) -> str:
    """Write a duration with its two largest units: `2h 5m`, `41s`, `3d`, `0.5s`."""
    seconds = max(duration.total_seconds(), 0.0)
    if seconds < 10:  # noqa: PLR2004 - below ten seconds a tenth matters to a reader
        return f"{round(seconds, 1):g}s"
    whole = round(seconds)
    parts: list[tuple[int, str]] = []
    for unit in "dhms":
        count, whole = divmod(whole, int(_UNITS[unit]))
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count}{unit}" for count, unit in parts[:2] if count)


def write_duration(duration: timedelta) -> str:
    """Write a duration exactly, as `parse_duration` reads it: `1h30m`, `0.5s`."""
    seconds = duration.total_seconds()
    parts: list[str] = []
    for unit in "dhm":
        count, seconds = divmod(seconds, _UNITS[unit])
        if count:
            parts.append(f"{count:.0f}{unit}")
    if seconds or not parts:
        parts.append(f"{seconds:.6f}".rstrip("0").rstrip(".") + "s")
    return "".join(parts)


def _seconds(given: object) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(given)
    text = str(given).strip().lower().replace(" ", "")
    if _WHOLE.fullmatch(text):
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return float(text)
