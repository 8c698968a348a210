"""The characters that a live view draws with, for a terminal of any encoding, and its colours."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from watcher.domain.states import JobState


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of characters."""

    spinner: str
    done: str
    half: str
    """Half of a step of the bar; empty where there is no such character."""
    open: str
    levels: str
    """A sparkline, from low to high."""
    about: str
    dot: str
    good: str
    bad: str
    other: str
    waiting: str
    trouble: str
    broken: str
    """A value that is NaN or infinite."""


FINE = Glyphs("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "━", "╸", "─", "▁▂▃▄▅▆▇█", "≈", " · ", "✔", "✘", "⊘", "◦", "!", "✕")
PLAIN = Glyphs("|/-\\", "#", "", ".", ".:-=+*#", "~", " - ", "+", "x", "*", "o", "!", "x")

_SAME = 1e-9
"""Values that differ by a smaller share are drawn as one."""
RED, GREEN, YELLOW, CYAN, DIM, BOLD = "31", "32", "33", "36", "2", "1"
STATE_COLOURS: Mapping[JobState, str] = {
    JobState.SUCCEEDED: GREEN,
    JobState.FAILED: RED,
    JobState.CANCELLED: YELLOW,
    JobState.RUNNING: CYAN,
}


def glyphs_for(encoding: str | None) -> Glyphs:
    """Return the finest set that an encoding can write."""
    try:
        codecs.encode("".join(str(getattr(FINE, name)) for name in FINE.__slots__), encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return PLAIN
    return FINE


def painted(text: str, colour: str | None) -> str:
    """Return the text in a colour; as it is without one."""
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and text else text


def bar(share: float, width: int, glyphs: Glyphs) -> str:
    """Draw how much is done, from 0 to 1, `width` columns wide."""
    halves = round(min(max(share, 0.0), 1.0) * width * 2)
    whole = glyphs.done * (halves // 2) + (glyphs.half if halves % 2 else "")
    return whole + glyphs.open * (width - len(whole))


def sparkline(values: Sequence[float], width: int, glyphs: Glyphs) -> str:
    """Draw the values in at most `width` columns, each the mean of its part of them, the lowest and highest apart.

    A value that is NaN or infinite marks its column.
    """
    count = min(width, len(values))
    parts = [values[len(values) * at // count : len(values) * (at + 1) // count] for at in range(count)]
    # Divided first: the sum of two large values may be infinite.
    means = [sum(value / len(part) for value in part) if all(map(isfinite, part)) else None for part in parts]
    drawn = [mean for mean in means if mean is not None]
    low, high = min(drawn, default=0.0), max(drawn, default=0.0)
    return "".join(glyphs.broken if mean is None else glyphs.levels[_level(mean, low, high, glyphs)] for mean in means)


def _level(value: float, low: float, high: float, glyphs: Glyphs) -> int:
    span = high / 2 - low / 2
    if span <= max(abs(low), abs(high)) * _SAME:  # means of one value differ in their last digits
        return 0
    return round((value / 2 - low / 2) / span * (len(glyphs.levels) - 1))
