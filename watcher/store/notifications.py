"""What an event owes to notifiers, as rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, and_, update

from watcher.domain.deliveries import SERVICE_RETRY_POLICY, DeliveryState
from watcher.domain.events import Event
from watcher.domain.notifications import Planned
from watcher.store.schema import delivery


def row_of_planned(
    planned: Planned, event: Event, *, job: int | None = None, condition: int | None = None
) -> dict[str, Any]:
    """Write the delivery of an event, of the job or the condition whose row has this number."""
    is_muted = planned.state is DeliveryState.MUTED
    begin = max(event.at, planned.hold_until or event.at)
    return {
        "job": job,
        "condition": condition,
        "seq": event.seq,
        "notifier": planned.notifier,
        "state": planned.state.value,
        "attempts": 0,
        "next_at": begin,
        "give_up_at": begin + SERVICE_RETRY_POLICY.give_up_after,
        "settled_at": event.at if is_muted else None,
        "group_key": planned.group_key,
        "hold_until": planned.hold_until,
        "reason": planned.reason,
    }


def release(
    connection: Connection, planned: Iterable[Planned], subject: tuple[Column[int], int], now: datetime
) -> None:
    """Let what a subject has waiting go out now, where an event of it may not wait: it must not overtake the others.

    The subject is the row of a job, or of a condition.
    """
    column, number = subject
    for notifier in [each.notifier for each in planned if each.releases]:
        is_waiting = and_(
            column == number,
            delivery.c.notifier == notifier,
            delivery.c.state == DeliveryState.PENDING.value,
            delivery.c.hold_until > now,
        )
        connection.execute(update(delivery).where(is_waiting).values(next_at=now, hold_until=now))
