"""How a notifier stands, and what it has in flight."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watcher.domain.deliveries import Broken, DeliveryState, Outcome, Settlement
from watcher.engine.ports import Notifier

LONGEST_PAUSE = timedelta(minutes=5)
"""How long one answer may keep all other messages from a receiver; the message that it answers may wait for longer."""


@dataclass(slots=True)
class NotifierState:
    """How a notifier stands, and what it has in flight."""

    notifier: Notifier
    in_flight: set[int] = field(default_factory=set)
    """The deliveries that were claimed and are not settled yet."""
    last_success: datetime | None = None
    failing_since: datetime | None = None
    """The first failed attempt after the last one that succeeded."""
    error: str | None = None
    rejection: str | None = None
    is_broken: bool = False
    """Whether the last failure was a fault of the program."""
    paused_until: float = float("-inf")
    """Until when the receiver has asked to be left alone, in steady seconds."""

    def note(self, settlement: Settlement, outcome: Outcome, now: datetime) -> None:
        """Note what an attempt came to."""
        if settlement.state is DeliveryState.DELIVERED:
            self.last_success, self.failing_since, self.error, self.rejection = now, None, None, None
            self.is_broken = False
            return
        self.failing_since, self.error = min(self.failing_since or now, now), settlement.error
        self.is_broken = isinstance(outcome, Broken)
        if settlement.state is DeliveryState.DEAD:
            self.rejection = settlement.error

    def pause(self, wait: timedelta, steady: float) -> None:
        """Leave the receiver alone for as long as it asks, which it asks of all messages and not of one."""
        self.paused_until = steady + min(wait, LONGEST_PAUSE).total_seconds()

    @property
    def is_half_free(self) -> bool:
        """Whether so much is free that it should not wait for more."""
        return len(self.in_flight) * 2 <= self.notifier.concurrency

    def free_slots(self, steady: float) -> int:
        """Return how many more messages may be in flight."""
        return 0 if steady < self.paused_until else max(self.notifier.concurrency - len(self.in_flight), 0)
