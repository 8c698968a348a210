"""The store of a `watch` keeps the contract of the real one, as far as one process can see it."""

from __future__ import annotations

from datetime import timedelta

from tests.doubles import START, a_transition, planned, transition_of
from watcher.domain.deliveries import Delivered, DeliveryState, Failed, after_attempt, superseded
from watcher.domain.jobs import JobKey
from watcher.engine.delivery.memory_store import MemoryDeliveries

CLAIM = timedelta(seconds=30)
OTHER = JobKey("openai", "ftjob-other")


async def test_it_is_claimed_in_order_and_within_the_capacity() -> None:
    record = MemoryDeliveries(timedelta(minutes=1))
    first, second = a_transition(seq=1), a_transition(seq=2)
    record.owe(first, planned("chat"), START)
    record.owe(second, planned("chat"), START)
    record.owe(a_transition(key=OTHER), planned("chat", "pager"), START)

    claimed = await record.claim({"chat": 5}, START, START + CLAIM)

    assert [(each.notifier, transition_of(each).key) for each in claimed] == [("chat", first.key), ("chat", OTHER)]
    assert await record.claim({"chat": 5}, START, START + CLAIM) == []
    assert len(await record.claim({"pager": 1, "chat": 0}, START, START + CLAIM)) == 1


async def test_a_failed_one_is_due_again_when_its_time_has_come() -> None:
    record = MemoryDeliveries(timedelta(minutes=1))
    record.owe(a_transition(), planned("chat"), START)
    (claimed,) = await record.claim({"chat": 1}, START, START + CLAIM)
    await record.settle([after_attempt(claimed, Failed("HTTP 503"), START, 0.0)])

    assert await record.claim({"chat": 1}, START + timedelta(seconds=4), START + CLAIM) == []
    (again,) = await record.claim({"chat": 1}, START + timedelta(seconds=5), START + CLAIM)
    assert (again.attempts, again.last_error) == (1, "HTTP 503")
    assert record.in_state(DeliveryState.PENDING) == [again]
    assert record.all() == (again,)

    await record.settle([after_attempt(again, Delivered("200: ok"), START, 0.0)])
    (accepted,) = record.in_state(DeliveryState.DELIVERED)
    assert (accepted.last_error, accepted.answer) == (None, "200: ok")


async def test_it_says_what_a_newer_event_of_the_subject_that_is_due_has_overtaken() -> None:
    record = MemoryDeliveries(timedelta(minutes=1))
    for seq in (1, 2):
        record.owe(a_transition(seq=seq), planned("chat", "pager"), START)
    record.owe(a_transition(key=OTHER, seq=3), planned("chat"), START)
    claimed = await record.claim({"chat": 5}, START, START + CLAIM)
    assert [each.is_overtaken for each in claimed] == [True, False]

    await record.settle([superseded(claimed[0], START)])
    (newer,) = await record.claim({"chat": 5}, START, START + CLAIM)
    assert not newer.is_overtaken
    assert [(each.state, each.attempts) for each in record.in_state(DeliveryState.SUPERSEDED)] == [("superseded", 0)]


async def test_what_waits_for_its_next_attempt_overtakes_nothing() -> None:
    record = MemoryDeliveries(timedelta(minutes=1))
    record.owe(a_transition(seq=1), planned("chat"), START)
    record.owe(a_transition(seq=2), planned("chat"), START + timedelta(seconds=9))
    (claimed,) = await record.claim({"chat": 1}, START, START + CLAIM)
    assert not claimed.is_overtaken
