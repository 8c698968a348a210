"""Due deliveries → send → settle."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watcher.domain.conditions import Health
from watcher.domain.deliveries import Delivery, DeliveryState, Failed, Outcome, RetryPolicy, Settlement, after_attempt
from watcher.domain.messages import event_id, message_of
from watcher.engine.group_commit import GroupCommit
from watcher.engine.liveness import Liveness
from watcher.engine.ports import DeliveryStore, Notifier, Runtime
from watcher.errors import OutputClosedError, StoreError

ATTEMPT_LIMIT = timedelta(seconds=20)
"""When an attempt is given up, should a notifier not keep to its own 15 s."""
LONGEST_QUIET = timedelta(minutes=5)
"""How long one answer may keep all other messages from a receiver; the message that it answers may wait for longer."""
CLAIM = timedelta(seconds=30)
"""How long a delivery is ours; after a crash it is tried again this much later. Longer than any attempt."""


@dataclass(slots=True)
class _NotifierState:
    """What goes on at one notifier."""

    notifier: Notifier
    sending: set[int] = field(default_factory=set)
    last_success: datetime | None = None
    failing_since: datetime | None = None
    """The first failed attempt after the last one that succeeded."""
    error: str | None = None
    rejection: str | None = None
    quiet_until: datetime | None = None
    """Until when the receiver has asked to be left alone."""

    def note(self, settlement: Settlement, now: datetime) -> None:
        if settlement.state is DeliveryState.DELIVERED:
            self.last_success, self.failing_since, self.error, self.rejection = now, None, None, None
            return
        self.failing_since, self.error = min(self.failing_since or now, now), settlement.error
        if settlement.state is DeliveryState.DEAD:
            self.rejection = settlement.error

    def pause(self, wait: timedelta, now: datetime) -> None:
        """Leave the receiver alone for as long as it asks, which it asks of all messages and not of one."""
        self.quiet_until = now + min(wait, LONGEST_QUIET)

    def room(self, now: datetime) -> int:
        """Return how many more messages may be on their way."""
        if self.quiet_until and now < self.quiet_until <= now + LONGEST_QUIET:
            return 0
        return max(self.notifier.at_once - len(self.sending), 0)


class Dispatcher:
    """Sends what is due, each notifier in a lane of its own, and settles what came of it."""

    def __init__(
        self, record: DeliveryStore, notifiers: Mapping[str, Notifier], policy: RetryPolicy, runtime: Runtime
    ) -> None:
        self._store = record
        self._lanes = {name: _NotifierState(notifier) for name, notifier in notifiers.items()}
        self._policy = policy
        self._runtime = runtime
        self._log = runtime.log
        self._settlements = GroupCommit("outcomes of deliveries", record.settle, self, runtime.log)
        self._wake = asyncio.Event()
        self._is_stopping = False
        self.liveness = Liveness()
        self._output_closed: OutputClosedError | None = None
        self._store_error: StoreError | None = None

    def wake(self) -> None:
        """Look for due deliveries now."""
        self._wake.set()

    def store_error(self) -> StoreError | None:
        """Say why the record cannot be read or written; None while it can."""
        return self._settlements.refusal or self._store_error

    def stuck(self) -> StoreError | None:
        """Say which outcomes cannot be recorded although the record can be written; None if there are none."""
        return self._settlements.stuck

    def health(self) -> list[Health]:
        """Say how each notifier has been doing."""
        return [
            Health(name, lane.last_success, lane.failing_since, lane.error, lane.rejection)
            for name, lane in self._lanes.items()
        ]

    def stop(self) -> None:
        """Send nothing new; `run` returns when what is under way has come to an end and is recorded."""
        self._is_stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Deliver until stopped. Raises OutputClosedError when standard output is gone; what it was owed stays owed."""
        await self._deliver()
        if self._output_closed:
            raise self._output_closed

    async def _deliver(self) -> None:
        async with self._settlements, asyncio.TaskGroup() as attempts:
            while not self._is_stopping:
                # What is claimed is sent, even if the word to stop came meanwhile: nobody else could for a while.
                for delivery in await self._claim():
                    attempts.create_task(self._attempt(delivery))
                self.liveness.turned()
                await self._wake.wait()
                self._wake.clear()

    async def _claim(self) -> Sequence[Delivery]:
        now = self._runtime.clock()
        capacity = {name: room for name, lane in self._lanes.items() if (room := lane.room(now))}
        # What is in hand and cannot be settled must not be claimed anew: its settlement would no longer fit.
        if not capacity or self._settlements.refusal:
            return ()
        try:
            claimed = await self._store.claim(capacity, now, now + CLAIM)
        except StoreError as error:
            self._note_store(error)
            return ()
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the delivering
            self._log.exception("looking for due deliveries broke", error=type(error).__name__)
            return ()
        self._note_store(None)
        deliveries = [delivery for delivery in claimed if delivery.id not in self._lanes[delivery.notifier].sending]
        for delivery in deliveries:
            self._lanes[delivery.notifier].sending.add(delivery.id)
        return deliveries

    def _note_store(self, error: StoreError | None) -> None:
        if error and not self._store_error:
            self._log.error("record not readable, deliveries wait", error=str(error))
        if self._store_error and not error:
            self._log.info("record readable again, deliveries go on")
        self._store_error = error

    async def _attempt(self, delivery: Delivery) -> None:
        self.liveness.begun(delivery.id)
        try:
            outcome = await self._send(delivery)
        except OutputClosedError as error:
            self._output_closed = error
            self.stop()
            return
        finally:
            self.liveness.ended(delivery.id)
        now = self._runtime.clock()
        settlement = after_attempt(delivery, outcome, now, self._runtime.jitter(), self._policy)
        lane = self._lanes[delivery.notifier]
        lane.note(settlement, now)
        if isinstance(outcome, Failed) and outcome.retry_after:
            lane.pause(outcome.retry_after, now)
        self._runtime.telemetry.attempted(settlement, now)
        self._log_settlement(settlement)
        self._settlements.put(settlement)

    async def _send(self, delivery: Delivery) -> Outcome:
        try:
            async with asyncio.timeout(ATTEMPT_LIMIT.total_seconds()):
                return await self._lanes[delivery.notifier].notifier.send(message_of(delivery.transition))
        except OutputClosedError:
            raise
        except TimeoutError:
            return Failed(f"no outcome within {ATTEMPT_LIMIT.total_seconds():g} s")
        except Exception as error:  # noqa: BLE001 - a notifier's fault must not end the delivering of all others
            # Not its text: an exception of a foreign notifier may hold its secret.
            self._log.error("notifier broke", notifier=delivery.notifier, error=type(error).__name__)
            return Failed(f"internal error: {type(error).__name__}")

    def _log_settlement(self, settlement: Settlement) -> None:
        delivery = settlement.delivery
        log = {
            DeliveryState.DELIVERED: self._log.info,
            DeliveryState.PENDING: self._log.warning,
        }.get(settlement.state, self._log.error)
        log(
            f"delivery {settlement.why.replace('_', ' ')}",
            notifier=delivery.notifier,
            job=str(delivery.transition.key),
            status=delivery.transition.status,
            event_id=event_id(delivery.transition.key, delivery.transition.seq),
            attempt=delivery.attempts + 1,
            error=settlement.error,
            next_at=settlement.next_at.isoformat() if settlement.state is DeliveryState.PENDING else None,
        )

    def committed(self, items: Sequence[Settlement], result: object) -> None:  # noqa: ARG002 - settling returns nothing
        """Hear from the queue that these are settled: their lanes have room, and the next ones are free to go."""
        for settlement in items:
            self._lanes[settlement.delivery.notifier].sending.discard(settlement.delivery.id)
        self._wake.set()

    def key_of(self, item: Settlement) -> int:
        """Name the delivery for the queue."""
        return item.delivery.id
