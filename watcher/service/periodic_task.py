"""What is done again and again, for those who say what that is, and know no scheduler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """Something to be done again and again."""

    run: Callable[[], Awaitable[None]]
    interval: timedelta
    is_random: bool = False
    """Whether the interval varies between its half and its whole: replicas must not tick in step, or the first one
    would do all the work."""
    is_done: bool = False
    """Whether it has just been done, so that the first time comes after an interval, not at once."""
