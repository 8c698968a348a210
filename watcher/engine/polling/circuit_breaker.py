"""Whether a source may be asked: one that rejects us is probed, one that asks for quiet is left alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from watcher.domain.polling_policy import LONGEST_RETRY_AFTER, PROBE_INTERVAL


class CircuitBreaker:
    """Closed while the source deals with us; after a rejection it lets one poll through per probe interval.

    It measures time by the steady clock: it makes no difference when the host's clock is set.
    """

    def __init__(self, steady: Callable[[], float]) -> None:
        self.rejection: str | None = None
        """Why the source rejects requests, in its own words; None while it does not."""
        self._steady = steady
        self._blocked_until = float("-inf")

    def allowed(self, free: int) -> int:
        """Return how many of the `free` polls may be started now."""
        if self._steady() < self._blocked_until:
            return 0
        return min(free, 1) if self.rejection else free

    def note_started(self) -> None:
        """Note that polls were started: while the source rejects us, that was the probe."""
        if self.rejection:
            self._block(PROBE_INTERVAL)

    def trip(self, why: str) -> bool:
        """Note a rejection; return whether it is news."""
        is_news = self.rejection is None
        self.rejection = why
        self._block(PROBE_INTERVAL)
        return is_news

    def reset(self) -> bool:
        """Note that the source deals with us; return whether it had rejected us before."""
        was_tripped, self.rejection = self.rejection is not None, None
        if was_tripped:
            self._blocked_until = float("-inf")
        return was_tripped

    def pause(self, wait: timedelta) -> None:
        """Leave the source alone for as long as it asks, which it asks of all jobs and not of one."""
        until = self._steady() + min(wait, LONGEST_RETRY_AFTER).total_seconds()
        self._blocked_until = max(self._blocked_until, until)

    def _block(self, wait: timedelta) -> None:
        self._blocked_until = self._steady() + wait.total_seconds()
