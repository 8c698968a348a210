"""Signs of life of a loop: whether it turns, and whether what it started comes to an end."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

LONGEST_TURN_SECONDS = 60.0
"""A loop that is woken every second and has not turned for so long hangs."""
LONGEST_WORK_SECONDS = 300.0
"""Nothing that a loop starts takes so long: a poll or a message is bounded far below."""


class Liveness:
    """Written by a loop, read to find out whether it still makes progress."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._turned_at = clock()
        self._begun: dict[object, float] = {}

    def turned(self) -> None:
        """Note that the loop has gone round."""
        self._turned_at = self._clock()

    def begun(self, work: object) -> None:
        """Note that some work was started."""
        self._begun[work] = self._clock()

    def ended(self, work: object) -> None:
        """Note that it has ended, in any way."""
        self._begun.pop(work, None)

    def is_steady(self) -> bool:
        """Return whether the loop turns and its work ends."""
        now = self._clock()
        oldest = next(iter(self._begun.values()), now)
        return now - self._turned_at < LONGEST_TURN_SECONDS and now - oldest < LONGEST_WORK_SECONDS
