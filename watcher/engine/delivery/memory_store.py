"""A store of deliveries that lives as long as the process: for `watch`, which keeps no database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from watcher.domain.deliveries import Delivery, DeliveryState, Settlement
from watcher.domain.events import Event
from watcher.domain.notifications import Planned


class MemoryDeliveries:
    """The deliveries of one `watch`, in the order in which they were owed."""

    def __init__(self, give_up_after: timedelta) -> None:
        self._give_up_after = give_up_after
        self._deliveries: list[Delivery] = []

    def owe(self, event: Event, planned: Iterable[Planned], now: datetime) -> None:
        """Owe the event to the notifiers."""
        for each in planned:
            self._deliveries.append(
                Delivery(
                    id=len(self._deliveries),
                    notifier=each.notifier,
                    event=event,
                    state=DeliveryState.PENDING,
                    attempts=0,
                    next_at=now,
                    give_up_at=now + self._give_up_after,
                    group_key=each.group_key,
                )
            )

    def all(self) -> Sequence[Delivery]:
        """Return every delivery, in any state."""
        return tuple(self._deliveries)

    def in_state(self, state: DeliveryState) -> list[Delivery]:
        """Return the deliveries that stand there."""
        return [delivery for delivery in self._deliveries if delivery.state is state]

    async def claim(self, capacity: Mapping[str, int], now: datetime, until: datetime) -> Sequence[Delivery]:
        """See `DeliveryStore`."""
        free = dict(capacity)
        claimed: list[Delivery] = []
        held: set[object] = set()
        for delivery in self.in_state(DeliveryState.PENDING):
            thread = (delivery.notifier, delivery.event.subject)
            is_free = delivery.claimed_until is None or delivery.claimed_until <= now
            if thread not in held and is_free and delivery.next_at <= now and free.get(delivery.notifier, 0):
                free[delivery.notifier] -= 1
                is_overtaken = any(_overtakes(other, delivery, now) for other in self._deliveries)
                claimed.append(self._keep(replace(delivery, claimed_until=until, is_overtaken=is_overtaken)))
            held.add(thread)
        return claimed

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """See `DeliveryStore`."""
        for settlement in settlements:
            delivery = settlement.delivery
            self._keep(
                replace(
                    delivery,
                    state=settlement.state,
                    attempts=delivery.attempts + (settlement.state is not DeliveryState.SUPERSEDED),
                    next_at=settlement.next_at,
                    last_error=settlement.error,
                    answer=settlement.answer,
                    claimed_until=None,
                )
            )

    def _keep(self, delivery: Delivery) -> Delivery:
        self._deliveries[delivery.id] = delivery
        return delivery


def _overtakes(other: Delivery, delivery: Delivery, now: datetime) -> bool:
    return (
        other.id > delivery.id
        and (other.notifier, other.event.subject) == (delivery.notifier, delivery.event.subject)
        and other.state is DeliveryState.PENDING
        and other.next_at <= now
    )
