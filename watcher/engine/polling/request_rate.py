"""How many requests a source has got lately, for people."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

_LATELY_SECONDS = 60


class RequestRate:
    """Counts the requests to a source as they get their turns."""

    def __init__(self, wait: Callable[[], Awaitable[None]] | None, steady: Callable[[], float]) -> None:
        """`wait` is how long each has to wait for its turn; None: not at all."""
        self._wait = wait
        self._steady = steady
        self._counts: deque[tuple[int, int]] = deque()
        """A second, and how many requests were sent in it."""

    async def turn(self) -> None:
        """Wait until one more request may be sent, and count it."""
        if self._wait is not None:
            await self._wait()
        second, count = int(self._steady()), 0
        if self._counts and self._counts[-1][0] == second:
            count = self._counts.pop()[1]
        else:
            self._forget_before(second - _LATELY_SECONDS)
        self._counts.append((second, count + 1))

    def in_last_minute(self) -> int:
        """Return how many were sent in the last minute."""
        self._forget_before(int(self._steady()) - _LATELY_SECONDS)
        return sum(count for _, count in self._counts)

    def _forget_before(self, second: int) -> None:
        while self._counts and self._counts[0][0] <= second:
            self._counts.popleft()
