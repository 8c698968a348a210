"""Deliveries go out in order, and none blocks another, with any outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from tests.doubles import (
    START,
    HangingNotifier,
    ManualClock,
    RecordingLog,
    ScriptedNotifier,
    job_in,
    observation,
    planned,
    runtime,
    until,
)
from watcher.domain.deliveries import (
    SERVICE_RETRY_POLICY,
    Delivered,
    Delivery,
    DeliveryState,
    Failed,
    Outcome,
    Rejected,
    Settlement,
)
from watcher.domain.jobs import JobKey
from watcher.domain.messages import Message, Severity, TableRow
from watcher.domain.notifications import Planned
from watcher.domain.transitions import Transition, detect, event_id
from watcher.engine.delivery.dispatcher import CLAIM, Dispatcher
from watcher.engine.delivery.memory_store import MemoryDeliveries
from watcher.engine.ports import Notifier
from watcher.errors import OutputClosedError, StoreUnavailableError


def transition(status: str, job_id: str = "ftjob-1", seq: int = 1) -> Transition:
    found = detect(job_in("queued")._replace(key=JobKey("openai", job_id)), observation(status))
    assert found is not None
    return replace(found, seq=seq)


class FaultyDeliveries(MemoryDeliveries):
    """A store whose claims and settlements can be made to fail."""

    def __init__(self) -> None:
        super().__init__(timedelta(hours=72))
        self.before_claim: Callable[[], None] | None = None
        """Called before each claim; what it raises is what the store raises."""
        self.before_settle: Callable[[], None] | None = None
        """Called before settlements are written."""

    async def claim(self, capacity: Mapping[str, int], now: datetime, until: datetime) -> Sequence[Delivery]:
        if self.before_claim:
            self.before_claim()
        return await super().claim(capacity, now, until)

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        if self.before_settle:
            self.before_settle()
        await super().settle(settlements)


class World:
    """A delivering pipeline with a store in memory and a clock that is moved."""

    def __init__(
        self, notifiers: Mapping[str, Notifier], store: FaultyDeliveries | None = None, **options: Any
    ) -> None:
        self.clock = ManualClock()
        self.log = RecordingLog()
        self.record = store or FaultyDeliveries()
        self.deliver = Dispatcher(
            self.record, notifiers, SERVICE_RETRY_POLICY, runtime(self.clock, self.log), **options
        )

    def owe(self, *transitions: Transition, to: tuple[str, ...] = ("chat",)) -> None:
        for transition in transitions:
            self.record.owe(transition, planned(*to), self.clock())
        self.deliver.wake()

    def states(self) -> list[str]:
        return [str(delivery.state) for delivery in self.record.all()]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.deliver.run())
        yield
        self.deliver.stop()
        await task


async def test_a_delivery_is_sent_once_and_settled() -> None:
    notifier = ScriptedNotifier()
    world = World({"chat": notifier})
    async with world.running():
        world.owe(transition("running"))
        await until(lambda: world.states() == ["delivered"])
        world.deliver.wake()

    assert [message.id for message in notifier.received] == [event_id("openai", "ftjob-1", 1)]


async def test_a_failed_one_comes_again_with_the_same_id_when_its_time_has_come() -> None:
    notifier = ScriptedNotifier([Failed("HTTP 503"), Failed("HTTP 503")])
    world = World({"chat": notifier})

    def arrived(count: int) -> bool:
        return len(notifier.received) == count

    async with world.running():
        world.owe(transition("running"))
        for seconds in (5, 30):
            attempts = len(notifier.received) + 1
            await until(partial(arrived, attempts))
            await until(lambda: world.record.all()[0].claimed_until is None)
            world.clock.move(seconds=seconds - 1)
            world.deliver.wake()
            await asyncio.sleep(0.01)
            assert len(notifier.received) == attempts
            world.clock.move(seconds=1)
            world.deliver.wake()
        await until(lambda: world.states() == ["delivered"])

    assert len({message.id for message in notifier.received}) == 1
    assert len(notifier.received) == 3


async def test_the_transitions_of_a_job_arrive_in_order_even_when_the_first_one_fails() -> None:
    notifier = ScriptedNotifier([Failed("HTTP 500")])
    world = World({"chat": notifier})
    async with world.running():
        world.owe(transition("running", seq=1), transition("succeeded", seq=2))
        await until(lambda: notifier.received and world.record.all()[0].claimed_until is None)
        world.deliver.wake()
        await asyncio.sleep(0.01)
        assert [message.type for message in notifier.received] == ["fine_tuning.job.running"]
        world.clock.move(seconds=6)
        world.deliver.wake()
        await until(lambda: world.states() == ["delivered", "delivered"])

    assert [message.type.rpartition(".")[2] for message in notifier.received] == ["running", "running", "succeeded"]


async def test_a_dead_one_lets_the_next_pass() -> None:
    notifier = ScriptedNotifier([Rejected("HTTP 400")])
    world = World({"chat": notifier})
    async with world.running():
        world.owe(transition("running", seq=1), transition("succeeded", seq=2))
        await until(lambda: world.states() == ["dead", "delivered"])


async def test_a_hanging_notifier_holds_up_neither_others_nor_more_than_its_own_room() -> None:
    hanging, healthy = HangingNotifier(concurrency=2), ScriptedNotifier()
    world = World({"hanging": hanging, "healthy": healthy})
    async with world.running():
        world.owe(*(transition("running", f"ftjob-{n}") for n in range(5)), to=("hanging", "healthy"))
        await until(lambda: len(healthy.received) == 5)
        assert len(hanging.received) == 2
        hanging.let_go.set()
        await until(lambda: len(hanging.received) == 5)


async def test_stopping_waits_for_what_is_under_way_and_sends_nothing_new() -> None:
    hanging = HangingNotifier(concurrency=1)
    world = World({"chat": hanging})
    running = asyncio.create_task(world.deliver.run())
    world.owe(transition("running", "ftjob-1"), transition("running", "ftjob-2"))
    await until(lambda: hanging.received)
    world.deliver.stop()
    hanging.let_go.set()
    await running

    assert len(hanging.received) == 1
    assert world.states() == ["delivered", "pending"]


async def test_a_notifier_that_breaks_counts_as_failed_and_its_words_stay_out_of_sight() -> None:
    notifier = ScriptedNotifier([RuntimeError("token=hunter2")])
    world = World({"chat": notifier})
    async with world.running():
        world.owe(transition("running"))
        await until(lambda: world.record.all()[0].attempts == 1)

    assert world.record.all()[0].last_error == "internal error: RuntimeError"
    assert "hunter2" not in repr(world.log.lines)


async def test_an_attempt_without_end_is_given_up() -> None:
    world = World({"chat": HangingNotifier()}, attempt_limit=timedelta(milliseconds=20))
    async with world.running():
        world.owe(transition("running"))
        await until(lambda: world.record.all()[0].attempts == 1)

    assert "no outcome within" in str(world.record.all()[0].last_error)


async def test_closed_output_ends_the_delivering() -> None:
    world = World({"console": ScriptedNotifier([OutputClosedError("closed")])})
    world.owe(transition("running"), to=("console",))

    with pytest.raises(OutputClosedError):
        await world.deliver.run()

    assert world.states() == ["pending"]


async def test_an_unreadable_record_is_told_of_once_and_delivering_goes_on_after_it() -> None:
    notifier = ScriptedNotifier()
    world = World({"chat": notifier})

    def refuse() -> None:
        raise StoreUnavailableError("database is locked")

    world.record.before_claim = refuse
    async with world.running():
        world.owe(transition("running"))
        for _ in range(3):
            world.deliver.wake()
            await asyncio.sleep(0.001)
        world.record.before_claim = None
        world.deliver.wake()
        await until(lambda: world.states() == ["delivered"])

    assert world.log.events("error") == ["the store cannot be read, deliveries wait"]
    assert "the store can be read again, deliveries go on" in world.log.events("info")


async def test_a_crash_leaves_a_claim_that_expires() -> None:
    world = World({"chat": HangingNotifier()})
    world.owe(transition("running"))
    dying = asyncio.create_task(world.deliver.run())
    await until(lambda: world.record.all()[0].claimed_until)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)

    heir = ScriptedNotifier()
    deliver = Dispatcher(world.record, {"chat": heir}, SERVICE_RETRY_POLICY, runtime(world.clock))
    running = asyncio.create_task(deliver.run())
    await asyncio.sleep(0.01)
    assert heir.received == []
    world.clock.at = START + CLAIM
    deliver.wake()
    await until(lambda: heir.received)
    deliver.stop()
    await running

    assert world.record.in_state(DeliveryState.DELIVERED)


async def test_it_knows_how_each_notifier_has_been_doing() -> None:
    outcomes: list[Outcome | BaseException] = [Failed("HTTP 503"), Rejected("HTTP 410"), Delivered()]
    notifier = ScriptedNotifier(outcomes, concurrency=1)
    world = World({"chat": notifier})
    seen = []
    async with world.running():
        for number in range(3):
            world.owe(transition("running", f"ftjob-{number}"))
            await until(partial(_count, notifier, number + 1))
            await until(lambda: not any(each.claimed_until for each in world.record.all()))
            seen.append(world.deliver.health()[0])

    told = [(health.error, health.rejection) for health in seen]
    assert told == [("HTTP 503", None), ("HTTP 410", "HTTP 410"), (None, None)]
    assert [health.failing_since for health in seen] == [START, START, None]
    assert seen[2].last_success == START


async def test_nothing_is_claimed_while_outcomes_cannot_be_recorded() -> None:
    """A claim anew would take the token that the waiting outcome must show: the message would go out twice."""
    notifier = ScriptedNotifier()
    world = World({"chat": notifier})
    refused = 0

    def refuse() -> None:
        nonlocal refused
        if refused < 3:
            refused += 1
            world.clock.move(minutes=1)
            world.deliver.wake()
            raise StoreUnavailableError("database is locked")

    world.record.before_settle = refuse
    async with world.running():
        world.owe(transition("running"))
        await until(lambda: refused == 3)
        assert str(world.deliver.store_error()) == "database is locked"
        await until(lambda: world.states() == ["delivered"])

    assert len(notifier.received) == 1


async def test_a_record_that_breaks_does_not_end_the_delivering() -> None:
    notifier = ScriptedNotifier()
    world = World({"chat": notifier})

    def break_it() -> None:
        raise ZeroDivisionError

    world.record.before_claim = break_it
    async with world.running():
        world.owe(transition("running"))
        await until(lambda: world.log.events("exception"))
        world.record.before_claim = None
        world.deliver.wake()
        await until(lambda: world.states() == ["delivered"])


async def test_outcomes_that_cannot_be_recorded_are_kept_and_told_of() -> None:
    world = World({"chat": ScriptedNotifier()})

    def break_it() -> None:
        raise ZeroDivisionError

    world.record.before_settle = break_it
    async with world.running():
        world.owe(transition("running"))
        await until(world.deliver.stuck)
        assert "ZeroDivisionError" in str(world.deliver.stuck())
        assert world.deliver.store_error() is None
        world.record.before_settle = None

    assert world.deliver.stuck() is None
    assert world.states() == ["delivered"]


def _count(notifier: ScriptedNotifier, count: int) -> bool:
    return len(notifier.received) >= count


async def test_what_is_claimed_while_it_is_told_to_stop_is_still_sent() -> None:
    """Left alone, it would wait for its claim to expire, and hold up all that is behind it."""
    notifier = ScriptedNotifier()
    world = World({"chat": notifier})
    world.record.before_claim = world.deliver.stop
    world.owe(transition("running"))
    await world.deliver.run()

    assert len(notifier.received) == 1
    assert world.states() == ["delivered"]


async def test_a_notifier_with_its_hands_full_is_not_asked() -> None:
    hanging = HangingNotifier(concurrency=1)
    world = World({"chat": hanging})
    async with world.running():
        world.owe(transition("running", "ftjob-1"), transition("running", "ftjob-2"))
        await until(lambda: hanging.received)
        world.deliver.wake()
        await asyncio.sleep(0.01)
        assert len(hanging.received) == 1
        hanging.let_go.set()
        await until(lambda: world.states() == ["delivered", "delivered"])


class InTurn:
    """Accepts one message after the other, when it is told to."""

    concurrency = 8

    def __init__(self) -> None:
        self.accepted = asyncio.Semaphore(0)

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:  # noqa: ARG002 - takes any
        await self.accepted.acquire()
        return Delivered()


async def test_slots_that_further_outcomes_will_free_are_claimed_for_together() -> None:
    notifier, asked, settled = InTurn(), list[int](), list[int]()

    class Deliveries(FaultyDeliveries):
        async def claim(self, capacity: Mapping[str, int], now: datetime, until: datetime) -> Sequence[Delivery]:
            asked.append(capacity["chat"])
            return await super().claim(capacity, now, until)

        async def settle(self, settlements: Sequence[Settlement]) -> None:
            settled.append(len(settlements))
            if len(settled) == 1:  # while the first one is written, another message is accepted
                notifier.accepted.release()
                await asyncio.sleep(0.01)
            await super().settle(settlements)

    world = World({"chat": notifier}, store=Deliveries())
    world.owe(*(transition("running", f"ftjob-{number}") for number in range(12)))
    async with world.running():
        await until(lambda: asked)
        notifier.accepted.release()
        await until(lambda: len(asked) > 1)
        for _ in range(12):
            notifier.accepted.release()
    assert asked[:2] == [8, 2]


async def test_a_receiver_that_asks_for_quiet_gets_it_from_all_messages() -> None:
    """And none of them counts an attempt for it. Another receiver does not wait."""
    chat, pager = ScriptedNotifier([Failed("HTTP 429", timedelta(seconds=60))], concurrency=1), ScriptedNotifier()
    world = World({"chat": chat, "pager": pager})
    async with world.running():
        for number in range(3):
            world.owe(transition("running", f"ftjob-{number}"), to=("chat", "pager"))
        await until(lambda: len(pager.received) == 3)
        assert len(chat.received) == 1
        world.clock.move(seconds=59)
        world.deliver.wake()
        await asyncio.sleep(0.02)
        assert len(chat.received) == 1
        world.clock.move(seconds=30)
        world.deliver.wake()
        await until(lambda: len(chat.received) == 4)

    assert sorted(each.attempts for each in world.record.all() if each.notifier == "chat") == [1, 1, 2]


async def test_quiet_ends_within_minutes() -> None:
    chat = ScriptedNotifier(
        [Failed("HTTP 503", timedelta(hours=9)), Failed("HTTP 503", timedelta(hours=9))], concurrency=1
    )
    world = World({"chat": chat})
    async with world.running():
        for number in range(3):
            world.owe(transition("running", f"ftjob-{number}"))
        await until(lambda: len(chat.received) == 1)
        world.clock.move(minutes=5)
        world.deliver.wake()
        await until(lambda: len(chat.received) == 2)


async def test_what_was_measured_by_the_clock_stays_right_when_it_is_set() -> None:
    chat = ScriptedNotifier([Delivered(), Failed("HTTP 503", timedelta(seconds=40))])
    world = World({"chat": chat, "idle": ScriptedNotifier()})
    async with world.running():
        world.owe(transition("running"))
        await until(lambda: world.states() == ["delivered"])
        world.owe(transition("running", "ftjob-2"))
        await until(lambda: world.deliver.health()[0].failing_since)
    before, step = world.deliver.health()[0], timedelta(days=1)
    world.deliver.clock_stepped(step)
    after = world.deliver.health()[0]

    assert before.failing_since is not None
    assert before.last_success is not None
    assert (after.failing_since, after.last_success) == (before.failing_since + step, before.last_success + step)
    assert world.deliver.pause_left("chat") == timedelta(seconds=40)
    assert world.deliver.pause_left("idle") == timedelta()


async def test_a_notifier_that_breaks_is_tried_again_and_never_told_as_unreachable() -> None:
    world = World({"chat": ScriptedNotifier([KeyError("id")])})
    async with world.running():
        world.owe(transition("running"))
        await until(lambda: world.record.all()[0].attempts == 1)

    assert world.states() == ["pending"]
    assert world.log.events("exception") == ["notifier broke: KeyError"]
    assert world.deliver.health()[0].is_broken


async def test_a_test_message_is_sent_at_once_and_recorded_nowhere() -> None:
    chat = ScriptedNotifier([Delivered("ok")])
    world = World({"chat": chat})
    assert await world.deliver.send_test("chat") == Delivered("ok")
    assert [message.type for message in chat.received] == ["watcher.test"]
    assert world.states() == []


async def test_what_is_owed_under_one_key_is_one_message_settled_together() -> None:
    chat = ScriptedNotifier([Failed("HTTP 503"), Delivered("ok", receipt="r1")])
    world = World({"chat": chat})
    for number in range(3):
        event = transition("running", f"ftjob-{number}")
        world.record.owe(event, [Planned("chat", group_key="batch")], world.clock())
    async with world.running():
        world.deliver.wake()
        await until(lambda: [each.attempts for each in world.record.all()] == [1] * 3)
        world.clock.move(minutes=1)
        world.deliver.wake()
        await until(lambda: world.states() == ["delivered"] * 3)

    assert [message.type for message in chat.received] == ["watcher.batch"] * 2


async def test_a_digest_of_one_event_too_says_what_runs_and_is_no_thread_of_its_job() -> None:
    chat = ScriptedNotifier([Delivered("ok", receipt="r1")])
    running = TableRow("tutor", "running", Severity.NEUTRAL)

    async def present(notifier: str) -> Mapping[str, TableRow]:
        assert notifier == "chat"
        return {"openai/ftjob-9": running}

    world = World({"chat": chat}, present=present)
    world.record.owe(
        transition("failed"), [Planned("chat", group_key="digest 2026-11-24T08:00:00+00:00")], world.clock()
    )
    async with world.running():
        world.deliver.wake()
        await until(lambda: world.states() == ["delivered"])

    [message] = chat.received
    assert (message.type, [row.outcome for row in message.table]) == ("watcher.digest", ["failed", "running"])
    assert chat.receipts == [None]


class UpdatingNotifier(ScriptedNotifier):
    """Edits a message: what is not the end of a job is needless once there is more."""

    def is_update(self, message: Message) -> bool:
        return not message.type.endswith(".failed")


async def test_an_update_that_was_overtaken_is_superseded_and_an_outcome_never_is() -> None:
    chat = UpdatingNotifier()
    world = World({"chat": chat})
    told = ["validating_files", "running", "failed", "running", "cancelled"]
    world.owe(*(transition(status, seq=number) for number, status in enumerate(told)))
    async with world.running():
        await until(lambda: "pending" not in world.states())

    assert world.states() == ["superseded", "superseded", "delivered", "superseded", "delivered"]
    assert [message.type.rpartition(".")[2] for message in chat.received] == ["failed", "cancelled"]
    assert world.log.events("info").count("delivery superseded") == 3
    assert world.deliver.health()[0].last_success == START


async def test_a_notifier_that_edits_nothing_is_told_everything() -> None:
    chat = ScriptedNotifier()
    world = World({"chat": chat})
    world.owe(*(transition(status, seq=number) for number, status in enumerate(["running", "failed"])))
    async with world.running():
        await until(lambda: "pending" not in world.states())

    assert world.states() == ["delivered", "delivered"]


async def test_what_is_told_together_is_never_superseded() -> None:
    chat = UpdatingNotifier()
    world = World({"chat": chat})
    for job_id in ("ftjob-1", "ftjob-2"):
        for seq in (1, 2):
            event = transition("running", job_id, seq)
            world.record.owe(event, [Planned("chat", group_key="quiet x" if seq == 1 else None)], world.clock())
    async with world.running():
        world.deliver.wake()
        await until(lambda: "pending" not in world.states())

    assert world.states() == ["delivered"] * 4
