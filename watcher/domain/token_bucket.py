"""A rate that allows bursts: so many a minute, and so many at once after a quiet time."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class TokenBucket:
    """Counts what may still come. Time is given to it, in seconds of any clock; one that is set back earns nothing."""

    per_minute: float
    most: float
    """How many may come at once."""
    at: float
    """When it was looked at last."""
    _left: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin full."""
        self._left = self.most

    def left(self, now: float) -> float:
        """Return how many may come now; below 0 where more came than might."""
        earned = max(now - self.at, 0.0) * self.per_minute / 60
        self._left, self.at = min(self._left + earned, self.most), now
        return self._left

    def take(self, count: int = 1) -> None:
        """Count what has come."""
        self._left -= count
