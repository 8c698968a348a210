"""A dispatcher on a real store, run until there is nothing to do at this moment, or until it is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from tests.doubles import runtime
from watcher.domain.deliveries import SERVICE_RETRY_POLICY, Delivery, Settlement
from watcher.domain.messages import Message
from watcher.engine.delivery.dispatcher import Dispatcher
from watcher.engine.ports import Notifier
from watcher.store.sql import SqlStore


class _Counted:
    """A store that knows when all that was claimed is settled and nothing more is due."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self._open = 0
        self.is_idle = asyncio.Event()

    async def claim(self, capacity: Mapping[str, int], now: datetime, until: datetime) -> Sequence[Delivery]:
        claimed = await self._store.claim(capacity, now, until)
        self._open += len(claimed)
        if not claimed and not self._open:
            self.is_idle.set()
        return claimed

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        await self._store.settle(settlements)
        self._open -= len(settlements)


async def dispatch(
    store: SqlStore, notifiers: Mapping[str, Notifier], clock: Callable[[], datetime], killed: asyncio.Event
) -> bool:
    """Deliver what is due; return whether it came to its end, False when it was killed on the way."""
    counted = _Counted(store)
    deliver = Dispatcher(counted, notifiers, SERVICE_RETRY_POLICY, runtime(clock))
    running = asyncio.create_task(deliver.run())
    ends = [asyncio.create_task(event.wait()) for event in (counted.is_idle, killed)]
    await asyncio.wait(ends, timeout=20, return_when=asyncio.FIRST_COMPLETED)
    is_killed = killed.is_set()
    assert is_killed or counted.is_idle.is_set()
    deliver.stop()
    for task in [*ends, *([running] if is_killed else [])]:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return not is_killed


def told_in(message: Message) -> list[str]:
    """Return the ids of the events that a message tells of."""
    events = message.data.get("events")
    return [str(event["id"]) for event in events] if isinstance(events, list) else [message.id]
