"""An event owed to a notifier: what an attempt came to, and what happens next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from watcher.domain.events import Event
from watcher.domain.text import excerpt

_LONGEST_ANSWER = 300
"""How much of a receiver's answer is kept, in characters."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver accepted the message."""

    answer: str = ""
    """The receiver's own words, for people."""
    receipt: str | None = None
    """What the notifier needs to update this message when the same subject has news; None for nothing."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed in a way that may pass."""

    error: str
    retry_after: timedelta | None = None
    """How long the receiver asked to be left alone."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The receiver will never accept this message."""

    error: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The notifier has failed with an internal error: a fault of the program, not of the receiver."""

    error: str


Outcome = Delivered | Failed | Rejected | Broken
"""What one attempt of a notifier came to."""


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    DISCARDED = "discarded"
    MUTED = "muted"
    """A silence held when the event was recorded."""
    SUPERSEDED = "superseded"
    """A newer event of the same subject was sent in its place."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event owed to one notifier."""

    id: int
    notifier: str
    event: Event
    state: DeliveryState
    attempts: int
    """Attempts that came to an end. One cut short by a crash is not counted."""
    next_at: datetime
    """The earliest time of the next attempt."""
    give_up_at: datetime
    """When failing turns into dead."""
    claimed_until: datetime | None = None
    """Until when it is claimed; also the token that settling must show."""
    last_error: str | None = None
    """What the last attempt failed with; None when it did not fail."""
    answer: str | None = None
    """What the receiver said when it accepted the message, for people; None when it said nothing."""
    settled_at: datetime | None = None
    group_key: str | None = None
    """What is owed to the notifier under the same key is sent as one message."""
    hold_until: datetime | None = None
    """It was held back until then."""
    reason: str | None = None
    """Why it was held back or muted."""
    previous_receipt: str | None = None
    """What the notifier needs to update its last message of the same thread."""
    is_overtaken: bool = False
    """Whether a newer event of the same subject is due to the same notifier."""


class SettlementReason(StrEnum):
    """Why a delivery stands where an attempt left it."""

    ACCEPTED = "accepted"
    RETRY_SCHEDULED = "retry_scheduled"
    NOTIFIER_BROKE = "notifier_broke"
    RECEIVER_ASKED_TO_WAIT = "receiver_asked_to_wait"
    REJECTED = "rejected"
    GAVE_UP = "gave_up"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an attempt changes in its delivery."""

    delivery: Delivery
    state: DeliveryState
    why: SettlementReason
    next_at: datetime
    error: str | None
    answer: str | None = None
    """What the receiver said when it accepted the message."""
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again."""

    waits: tuple[timedelta, ...]
    """The wait after the first failure, the second, …; the last one repeats."""
    spread: float
    """The share of a wait that jitter may add or take."""
    give_up_after: timedelta
    """How long after the transition a failing delivery is dead."""
    longest_retry_after: timedelta
    """The longest wait that a receiver may ask for."""


SERVICE_RETRY_POLICY = RetryPolicy(
    waits=(
        timedelta(seconds=5),
        timedelta(seconds=30),
        timedelta(minutes=2),
        timedelta(minutes=10),
        timedelta(minutes=30),
        timedelta(hours=1),
    ),
    spread=0.2,
    give_up_after=timedelta(hours=72),
    longest_retry_after=timedelta(hours=24),
)
"""The service's policy: an outage over a long weekend loses nothing."""

WATCH_RETRY_POLICY = RetryPolicy(
    waits=(timedelta(seconds=1), timedelta(seconds=2), timedelta(seconds=5), timedelta(seconds=10)),
    spread=0.2,
    give_up_after=timedelta(minutes=1),
    longest_retry_after=timedelta(seconds=30),
)
"""The policy of `watch --notify`, which has to end soon after the job."""


def superseded(delivery: Delivery, now: datetime) -> Settlement:
    """Settle a delivery that is not sent, because a newer event of the same subject is sent in its place."""
    return Settlement(delivery, DeliveryState.SUPERSEDED, SettlementReason.SUPERSEDED, now, None)


def after_attempt(
    delivery: Delivery, outcome: Outcome, now: datetime, jitter: float, policy: RetryPolicy = SERVICE_RETRY_POLICY
) -> Settlement:
    """Decide what an attempt means for its delivery.

    `jitter` lies between -1 and 1 and moves the next attempt within the policy's spread.
    """
    if isinstance(outcome, Delivered):
        said = excerpt(outcome.answer, _LONGEST_ANSWER) or None
        return Settlement(
            delivery, DeliveryState.DELIVERED, SettlementReason.ACCEPTED, now, None, said, outcome.receipt
        )
    if isinstance(outcome, Rejected):
        return Settlement(delivery, DeliveryState.DEAD, SettlementReason.REJECTED, now, outcome.error)
    scheduled = policy.waits[min(delivery.attempts, len(policy.waits) - 1)] * (1 + policy.spread * jitter)
    retry_after = outcome.retry_after if isinstance(outcome, Failed) else None
    asked = min(retry_after or timedelta(), policy.longest_retry_after)
    next_at = min(now + max(scheduled, asked), delivery.give_up_at)
    if now >= delivery.give_up_at:
        return Settlement(delivery, DeliveryState.DEAD, SettlementReason.GAVE_UP, now, outcome.error)
    why = SettlementReason.RECEIVER_ASKED_TO_WAIT if asked > scheduled else SettlementReason.RETRY_SCHEDULED
    if isinstance(outcome, Broken):
        why = SettlementReason.NOTIFIER_BROKE
    return Settlement(delivery, DeliveryState.PENDING, why, next_at, outcome.error)
