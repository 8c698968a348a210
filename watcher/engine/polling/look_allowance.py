"""How many looks at events a source gets beside its polls, and none for a while where it does not answer them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from watcher.domain.polling_policy import LONGEST_RETRY_AFTER, PollFailure, PollOutcome
from watcher.domain.token_bucket import TokenBucket
from watcher.engine.polling.telemetry import LOOK_LIMIT

BUDGET_SHARE = 0.1
"""The share of a source's budget of requests that looks may take: the rest is for polls."""
LOOKS_PER_MINUTE = 300
"""Requests for looks where a source has no budget."""
LOOKS_AT_ONCE = 10
"""Requests for looks that any budget has left after a quiet time: a few jobs end together."""
_SPACINGS_WAITED = 3
"""Turns of a budget that a look may wait for, besides what it may take anyhow."""
FAILURES_TOLERATED = 3
"""Looks that fail in a row until there are none for a while."""
REFUSED_PAUSE = timedelta(hours=1)
"""How long there are none after the source has refused them: a person has to change something."""
FAILED_PAUSE = timedelta(minutes=5)
"""How long there are none where they only fail."""


class LookAllowance:
    """What looks may take of a source. It measures time by the steady clock."""

    def __init__(self, requests_per_minute: int | None, steady: Callable[[], float]) -> None:
        """`requests_per_minute` is the budget of the source; None: it has none."""
        self._has_budget = requests_per_minute is not None
        per_minute = requests_per_minute * BUDGET_SHARE if requests_per_minute else LOOKS_PER_MINUTE
        self._bucket = TokenBucket(per_minute, max(per_minute, LOOKS_AT_ONCE), steady())
        self._steady = steady
        self._paused_until = float("-inf")
        self._failures = 0
        self._is_refusal_told = False
        spacing = timedelta(minutes=1) / requests_per_minute if requests_per_minute else timedelta()
        self.limit = LOOK_LIMIT + _SPACINGS_WAITED * spacing
        """How long one look may take."""

    def available(self) -> int:
        """Return how many looks may begin now."""
        now = self._steady()
        return max(int(self._bucket.left(now)), 0) if now >= self._paused_until else 0

    def take(self) -> bool:
        """Begin a look, if one may begin now; it stands for one request."""
        if not self.available():
            return False
        self._bucket.take()
        return True

    def take_last(self) -> bool:
        """Begin the look at the end of a job, of which there is one in its life: only a budget bounds them."""
        return self.take() if self._has_budget else self._steady() >= self._paused_until

    def note(self, requests: int, failure: PollFailure | None) -> timedelta | None:
        """Note what a look took and came to; return for how long there are none now, where that is worth telling.

        A refusal is told once, until a look is answered again.
        """
        self._bucket.take(max(requests - 1, 0))
        if failure is None:
            self._failures, self._is_refusal_told = 0, False
            return None
        self._failures += 1
        if failure.retry_after:
            self._pause(min(failure.retry_after, LONGEST_RETRY_AFTER))
        is_refusal = failure.outcome is PollOutcome.REJECTED
        if not is_refusal and self._failures < FAILURES_TOLERATED:
            return None
        if not is_refusal and failure.outcome is not PollOutcome.MISSING:
            self._pause(FAILED_PAUSE)
            return None
        self._pause(REFUSED_PAUSE)
        was_told, self._is_refusal_told = self._is_refusal_told, True
        return None if was_told else REFUSED_PAUSE

    def _pause(self, wait: timedelta) -> None:
        self._paused_until = max(self._paused_until, self._steady() + wait.total_seconds())
