"""How many requests a source may get: so many a minute, evenly spaced, never more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

_MINUTE_SECONDS = 60.0


class RateLimit:
    """Spaces out the requests of one process to one source.

    Even spacing keeps to the budget in any minute, wherever that minute begins. The first request waits as well: a
    process that has just started does not know what the one before it has used.
    """

    def __init__(
        self,
        requests_per_minute: int,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.requests_per_minute = requests_per_minute
        self._spacing = _MINUTE_SECONDS / requests_per_minute
        self._clock = clock
        self._sleep = sleep
        self._free_at = clock() + self._spacing
        self._waiting = 0
        self._turns = asyncio.Lock()

    async def wait(self) -> None:
        """Wait until one more request may be sent. First come, first served."""
        self._waiting += 1
        try:
            async with self._turns:
                while (seconds := self._free_at - self._clock()) > 0:
                    await self._sleep(seconds)
                # From the moment it goes, and not from when it might have gone: late ones must not bunch up.
                self._free_at = self._clock() + self._spacing
        finally:
            self._waiting -= 1

    def available(self, within_seconds: float) -> int:
        """Return how many more requests could be sent within this time."""
        left = within_seconds - max(self._free_at - self._clock(), 0.0)
        return max(int(left // self._spacing) + 1 - self._waiting, 0) if left >= 0 else 0
