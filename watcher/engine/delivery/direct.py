"""Delivering without the store: for `watch --notify`, which has to end soon after the job."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Self

from watcher.domain.deliveries import WATCH_RETRY_POLICY, Delivery, DeliveryState
from watcher.domain.events import Event
from watcher.domain.notifications import at_once, plan
from watcher.domain.routing import Route
from watcher.engine.delivery.dispatcher import Dispatcher
from watcher.engine.delivery.memory_store import MemoryDeliveries
from watcher.engine.ports import Notifier
from watcher.engine.runtime import Runtime

TICK_SECONDS = 0.2
"""How late a retry may be."""


class DirectDelivery:
    """Delivers while it is entered; leaving it waits until each delivery has come to an end, within a minute."""

    def __init__(
        self,
        notifiers: Mapping[str, Notifier],
        routes: Sequence[Route],
        runtime: Runtime,
        *,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        self._notifiers = notifiers
        self._runtime = runtime
        self._routes = at_once(routes)
        self._tick_seconds = tick_seconds

    async def __aenter__(self) -> Self:
        """Start delivering, with nothing owed."""
        self._deliveries = MemoryDeliveries(WATCH_RETRY_POLICY.give_up_after)
        self._deliver = Dispatcher(self._deliveries, self._notifiers, WATCH_RETRY_POLICY, self._runtime)
        self._running = asyncio.create_task(self._deliver.run())
        return self

    async def __aexit__(self, exc_type: type[BaseException] | None, *exc_info: object) -> None:
        """Finish; not when an exception is on its way out."""
        try:
            while exc_type is None and not self._running.done() and self._deliveries.in_state(DeliveryState.PENDING):
                self._deliver.wake()
                await asyncio.sleep(self._tick_seconds)
        except asyncio.CancelledError:
            self._running.cancel()
            raise
        self._deliver.stop()
        if exc_type:
            self._running.cancel()
        await asyncio.wait([self._running])
        if not self._running.cancelled() and (error := self._running.exception()):
            raise error

    def tell(self, event: Event) -> None:
        """Have the event delivered to the notifiers that want it."""
        now = self._runtime.clock()
        self._deliveries.owe(event, plan(event, self._routes, now), now)
        self._deliver.wake()

    def undelivered(self) -> list[Delivery]:
        """Return what did not arrive."""
        return self._deliveries.in_state(DeliveryState.DEAD)
