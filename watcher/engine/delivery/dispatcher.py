"""Due deliveries → send → settle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from watcher.domain.conditions import Health
from watcher.domain.deliveries import (
    Broken,
    Delivered,
    Delivery,
    DeliveryState,
    Failed,
    Outcome,
    RetryPolicy,
    Settlement,
    after_attempt,
    superseded,
)
from watcher.domain.holding import is_digest, is_one_message
from watcher.domain.messages import Message, TableRow, message_of, message_of_test
from watcher.domain.summaries import message_of_digest, message_of_several
from watcher.engine.delivery.notifier_state import NotifierState
from watcher.engine.group_commit import GroupCommit
from watcher.engine.liveness import Liveness
from watcher.engine.ports import DeliveryStore, Notifier
from watcher.engine.runtime import Runtime
from watcher.errors import OutputClosedError, StoreError
from watcher.plugins.notifier import UpdatesInPlace

ATTEMPT_LIMIT = timedelta(seconds=20)
"""When an attempt is given up, should a notifier not keep to its own 15 s."""
CLAIM = timedelta(seconds=30)
"""How long a delivery is ours; after a crash it is tried again this much later. Longer than any attempt."""


Present = Callable[[str], Awaitable[Mapping[str, TableRow]]]
"""Returns the rows of the jobs that a notifier hears of and that have not ended, by their threads. Never raises."""


async def _nothing_runs(_notifier: str) -> Mapping[str, TableRow]:
    return {}


class Dispatcher:
    """Sends what is due, each notifier independently, and settles the outcomes."""

    def __init__(  # noqa: PLR0913 - what it sends, through what, and how
        self,
        store: DeliveryStore,
        notifiers: Mapping[str, Notifier],
        policy: RetryPolicy,
        runtime: Runtime,
        *,
        attempt_limit: timedelta = ATTEMPT_LIMIT,
        present: Present = _nothing_runs,
    ) -> None:
        """`present` returns how the jobs that a notifier hears of stand now, for its digest."""
        self._store = store
        self._states = {name: NotifierState(notifier) for name, notifier in notifiers.items()}
        self._policy = policy
        self._runtime = runtime
        self._log = runtime.log
        self._attempt_limit = attempt_limit
        self._present = present
        self._settlements = GroupCommit(
            "outcomes of deliveries", store.settle, self, runtime.log, runtime.commit_retry_seconds
        )
        self._wake = asyncio.Event()
        self._is_stopping = False
        self.liveness = Liveness()
        self._output_closed: OutputClosedError | None = None
        self._store_error: StoreError | None = None

    def wake(self) -> None:
        """Look for due deliveries now."""
        self._wake.set()

    def store_error(self) -> StoreError | None:
        """Return why the store cannot be read or written; None while it can."""
        return self._settlements.refusal or self._store_error

    def stuck(self) -> StoreError | None:
        """Return which outcomes cannot be recorded although the store can be written; None if there are none."""
        return self._settlements.stuck

    def health(self) -> list[Health]:
        """Return how each notifier has been doing."""
        return [
            Health(name, state.last_success, state.failing_since, state.error, state.rejection, state.is_broken)
            for name, state in self._states.items()
        ]

    async def send_test(self, notifier: str) -> Outcome:
        """Send a message that is plainly a test, past what is owed; it is recorded nowhere."""

        async def compose() -> Message:
            return message_of_test(notifier, self._runtime.clock())

        return await self._send(notifier, compose)

    def pause_left(self, notifier: str) -> timedelta:
        """Say for how long a notifier's receiver has still asked to be left alone."""
        return timedelta(seconds=max(self._states[notifier].paused_until - self._runtime.steady(), 0.0))

    def clock_stepped(self, step: timedelta) -> None:
        """Keep what was measured by the host's clock right after the clock was set by `step`."""
        for state in self._states.values():
            if state.failing_since:
                state.failing_since += step
            if state.last_success:
                state.last_success += step

    def stop(self) -> None:
        """Send nothing new; `run` returns when what is in flight has come to an end and is recorded."""
        self._is_stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Deliver until stopped. Raises OutputClosedError when standard output is gone; what it was owed stays owed."""
        async with self._settlements, asyncio.TaskGroup() as attempts:
            while not self._is_stopping:
                # What is claimed is sent, even after a stop: until the claim expires no other watcher could send it.
                for notification in _notifications(await self._claim()):
                    attempts.create_task(self._attempt(notification))
                self.liveness.turned()
                await self._wake.wait()
                self._wake.clear()
        if self._output_closed:
            raise self._output_closed

    async def _claim(self) -> Sequence[Delivery]:
        now, steady = self._runtime.clock(), self._runtime.steady()
        capacity = {name: free for name, state in self._states.items() if (free := state.free_slots(steady))}
        # What is in flight and cannot be settled must not be claimed again: its settlement would no longer fit.
        if not capacity or self._settlements.refusal:
            return ()
        try:
            claimed = await self._store.claim(capacity, now, now + CLAIM)
        except StoreError as error:
            self._note_store(error)
            return ()
        except Exception as error:  # noqa: BLE001 - an internal error must not end the delivering
            self._log.exception("cannot look for due deliveries: internal error", error=type(error).__name__)
            return ()
        self._note_store(None)
        deliveries = [each for each in claimed if each.id not in self._states[each.notifier].in_flight]
        for delivery in deliveries:
            self._states[delivery.notifier].in_flight.add(delivery.id)
        return deliveries

    def _note_store(self, error: StoreError | None) -> None:
        if error and not self._store_error:
            self._log.error("the store cannot be read, deliveries wait", error=str(error))
        if self._store_error and not error:
            self._log.info("the store can be read again, deliveries go on")
        self._store_error = error

    async def _attempt(self, notification: Sequence[Delivery]) -> None:
        """Send deliveries as one message, and settle each of them with its outcome."""
        first = notification[0]
        state = self._states[first.notifier]
        if _is_needless(state.notifier, notification):
            settlement = superseded(first, self._runtime.clock())
            self._log_settlement(settlement)
            self._settlements.put(settlement)
            return
        self.liveness.begun(first.id)
        try:
            is_one = len(notification) == 1 and not is_digest(first.group_key)
            receipt = first.previous_receipt if is_one else None
            outcome = await self._send(first.notifier, partial(self._compose, notification), receipt)
        except OutputClosedError as error:
            self._output_closed = error
            self.stop()
            return
        finally:
            self.liveness.ended(first.id)
        if isinstance(outcome, Failed) and outcome.retry_after:
            state.pause(outcome.retry_after, self._runtime.steady())
        if isinstance(outcome, Delivered) and not is_one:
            outcome = replace(outcome, receipt=None)  # a message of several jobs is no thread of any of them
        now, jitter = self._runtime.clock(), self._runtime.jitter()
        for delivery in notification:
            settlement = after_attempt(delivery, outcome, now, jitter, self._policy)
            state.note(settlement, outcome, now)
            self._runtime.telemetry.attempted(settlement, now)
            self._log_settlement(settlement)
            self._settlements.put(settlement)

    async def _compose(self, notification: Sequence[Delivery]) -> Message:
        events = [delivery.event for delivery in notification]
        if is_digest(notification[0].group_key):
            return message_of_digest(events, await self._present(notification[0].notifier))
        return message_of_several(events)

    async def _send(
        self, notifier: str, compose: Callable[[], Awaitable[Message]], previous_receipt: str | None = None
    ) -> Outcome:
        try:
            async with asyncio.timeout(self._attempt_limit.total_seconds()):
                return await self._states[notifier].notifier.send(await compose(), previous_receipt)
        except OutputClosedError:
            raise
        except TimeoutError:
            return Failed(f"no outcome within {self._attempt_limit.total_seconds():g} s")
        except Exception as error:  # noqa: BLE001 - a notifier's fault must not end the delivering of all others
            # Not its text outside the log, which hides secrets: an exception of a foreign notifier may hold one.
            self._log.exception(f"notifier broke: {type(error).__name__}", notifier=notifier)
            return Broken(f"internal error: {type(error).__name__}")

    def _log_settlement(self, settlement: Settlement) -> None:
        delivery = settlement.delivery
        log = {
            DeliveryState.DELIVERED: self._log.info,
            DeliveryState.PENDING: self._log.warning,
            DeliveryState.SUPERSEDED: self._log.info,
        }.get(settlement.state, self._log.error)
        log(
            f"delivery {settlement.why.replace('_', ' ')}",
            notifier=delivery.notifier,
            job=delivery.event.subject,
            type=delivery.event.type,
            status=delivery.event.type.rpartition(".")[2],
            event_id=delivery.event.id,
            attempt=delivery.attempts + 1,
            error=settlement.error,
            next_at=settlement.next_at.isoformat() if settlement.state is DeliveryState.PENDING else None,
        )

    def committed(self, items: Sequence[Settlement], result: object) -> None:  # noqa: ARG002 - settling returns nothing
        """Hear from the queue that these are settled: there are free slots, and the next ones may go."""
        settled = [(self._states[settlement.delivery.notifier], settlement.delivery.id) for settlement in items]
        for state, number in settled:
            state.in_flight.discard(number)
        # Outcomes that still wait will free more slots: to claim for many costs hardly more than for one.
        if not self._settlements.has_waiting or any(state.is_half_free for state, _ in settled):
            self._wake.set()

    def key_of(self, item: Settlement) -> int:
        """Name the delivery for the queue."""
        return item.delivery.id


def _is_needless(notifier: Notifier, notification: Sequence[Delivery]) -> bool:
    """Tell whether the notifier would only edit away what it is given, for a newer event is due."""
    if len(notification) > 1 or not notification[0].is_overtaken or not isinstance(notifier, UpdatesInPlace):
        return False
    return notifier.is_update(message_of(notification[0].event))


def _notifications(deliveries: Iterable[Delivery]) -> list[list[Delivery]]:
    """Put together what waited under one key, where it is enough for one message; anything else is sent alone."""
    groups: dict[tuple[str, str | None], list[Delivery]] = {}
    for delivery in deliveries:
        groups.setdefault((delivery.notifier, delivery.group_key), []).append(delivery)
    notifications: list[list[Delivery]] = []
    for (_, key), group in groups.items():
        notifications += [group] if is_one_message(key, len(group)) else [[each] for each in group]
    return notifications
