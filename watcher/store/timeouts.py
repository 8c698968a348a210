"""How long the store waits for a database, and for one that does not answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from watcher.store.errors import BUSY_SECONDS


@dataclass(frozen=True, slots=True)
class Waits:
    """Bounds that a test may shorten; no deployment needs others."""

    busy_seconds: float = BUSY_SECONDS
    """How long a writer waits for its turn in an SQLite file."""
    brief_seconds: float = 0.25
    """The same when the last wait failed: the next one should be shorter."""
    longest_work: timedelta = timedelta(seconds=10)
    """How long a database may keep us waiting before the connection is cut."""
    look_seconds: float = 0.5
    """How often work that goes on is looked at."""
    slow_seconds: float = 1.0
    """A failure that took so long would take as long again."""


USUAL_WAITS = Waits()
