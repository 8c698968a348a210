"""Times in the future that a clock leaves behind when it is set back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, and_, or_, update

from watcher.domain.deliveries import DeliveryState
from watcher.engine.ports import LongestWaits
from watcher.store.schema import delivery, job


def cap_waits(connection: Connection, now: datetime, longest: LongestWaits) -> int:
    """Make due now what waits for too long, give up claims that hold for too long; return how many rows that were."""
    is_pending = delivery.c.state == DeliveryState.PENDING.value
    # One that was never tried waits for nothing but the time at which it came to be.
    is_too_far = and_(
        or_(delivery.c.hold_until.is_(None), delivery.c.hold_until <= now),  # what is held back waits rightly
        or_(delivery.c.next_at > now + longest.delivery, and_(delivery.c.attempts == 0, delivery.c.next_at > now)),
    )
    statements = (
        update(job).where(job.c.due_at > now + longest.job).values(due_at=now),
        # First the claims: a delivery that is no longer claimed may have to become due as well.
        update(delivery).where(is_pending, delivery.c.claimed_until > now + longest.claim).values(claimed_until=None),
        update(delivery).where(is_pending, delivery.c.claimed_until.is_(None), is_too_far).values(next_at=now),
    )
    return sum(connection.execute(statement).rowcount for statement in statements)
