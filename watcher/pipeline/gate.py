"""Whether a source may be asked: one that rejects us is probed, not hammered."""

from __future__ import annotations

from datetime import datetime

from watcher.domain.cadence import PROBE_INTERVAL


class Gate:
    """Open while the source answers; after a rejection it lets one poll through per probe interval."""

    def __init__(self) -> None:
        self.rejection: str | None = None
        """Why the source rejects us, in its own words; None while it does not."""
        self._next_probe: datetime | None = None

    def room(self, free: int, now: datetime) -> int:
        """Return how many of the `free` polls may be started now."""
        if self._next_probe is None:
            return free
        return min(free, 1) if now >= self._next_probe else 0

    def close(self, why: str, now: datetime) -> bool:
        """Note a rejection; return whether it is news."""
        is_news = self.rejection is None
        self.rejection = why
        self._next_probe = now + PROBE_INTERVAL
        return is_news

    def open(self) -> bool:
        """Note that the source deals with us; return whether it is news."""
        is_news = self.rejection is not None
        self.rejection = self._next_probe = None
        return is_news
