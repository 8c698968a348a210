"""Whether a source may be asked: one that rejects us is probed, one that asks for quiet is left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from watcher.domain.polling_policy import LONGEST_RETRY_AFTER, PROBE_INTERVAL

_EVER = datetime.min.replace(tzinfo=UTC)
_LONGEST = max(PROBE_INTERVAL, LONGEST_RETRY_AFTER)
"""The longest time for which it is ever closed. What seems longer comes of a clock that was set back."""


class CircuitBreaker:
    """Open while the source deals with us; after a rejection it lets one poll through per probe interval."""

    def __init__(self) -> None:
        self.rejection: str | None = None
        """Why the source rejects us, in its own words; None while it does not."""
        self._closed_until = _EVER

    def room(self, free: int, now: datetime) -> int:
        """Return how many of the `free` polls may be started now."""
        if now < self._closed_until <= now + _LONGEST:
            return 0
        return min(free, 1) if self.rejection else free

    def passed(self, now: datetime) -> None:
        """Note that polls were started: while the source rejects us, that was the probe."""
        if self.rejection:
            self._closed_until = now + PROBE_INTERVAL

    def close(self, why: str, now: datetime) -> bool:
        """Note a rejection; return whether it is news."""
        is_news = self.rejection is None
        self.rejection = why
        self._closed_until = now + PROBE_INTERVAL
        return is_news

    def pause(self, wait: timedelta, now: datetime) -> None:
        """Leave the source alone for as long as it asks, which it asks of all jobs and not of one."""
        self._closed_until = max(self._closed_until, now + min(wait, LONGEST_RETRY_AFTER))

    def open(self) -> bool:
        """Note that the source deals with us; return whether it is news."""
        if self.rejection is None:
            return False
        self.rejection = None
        self._closed_until = _EVER
        return True
