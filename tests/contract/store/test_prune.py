"""Forgetting what is over and old, on both databases."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest

from tests.contract.store.open_store import OpenStore
from tests.contract.store.scenes import (
    DELIVERED,
    FAILED,
    KEY,
    MINUTE,
    NOON,
    REJECTED,
    SECOND,
    claim,
    claim_jobs,
    key,
    keys,
    move,
    owe,
    settle,
    the_job,
    watch,
)
from tests.doubles import planned, transition_of
from tests.recorded import history
from watcher.domain.conditions import Condition
from watcher.domain.deliveries import Outcome
from watcher.domain.jobs import JobSpec
from watcher.engine.ports import Finding
from watcher.store.database import connect
from watcher.store.prune import Pruning
from watcher.store.sql import Selection, UpsertResult

LONG_AFTER = NOON + timedelta(days=90)


@pytest.mark.parametrize("outcome", [DELIVERED, REJECTED])
async def test_a_job_that_ended_goes_with_all_it_left_behind(store: OpenStore, outcome: Outcome) -> None:
    await owe(store, ["succeeded"], "pager", "chat")
    await settle(store, await claim(store, pager=1, chat=1), outcome)
    assert await store.prune(LONG_AFTER) == 4
    assert [await store.count_rows(table) for table in ("job", "transition", "delivery")] == [0, 0, 0]


async def test_a_job_that_ended_stays_as_it_is_while_somebody_lists_it(store: OpenStore) -> None:
    """Brought as a new one, it would be seen for the first time again, and its end told once more."""
    await owe(store, ["succeeded"])
    await settle(store, await claim(store), DELIVERED)
    before = await store.jobs()
    for month in range(1, 40):
        now = NOON + month * timedelta(days=30)
        assert await store.upsert_jobs([JobSpec(KEY)], now) == UpsertResult(0, 0, 0)
        assert await store.prune(now - timedelta(days=29)) == (2 if month == 1 else 0)
        assert await store.jobs() == before
        assert await claim_jobs(store, now=now) == ()
    assert await store.prune(now + timedelta(microseconds=1)) == 1
    assert await store.jobs() == []


async def test_a_job_that_ended_lately_stays_even_if_nobody_lists_it(store: OpenStore) -> None:
    await watch(store, KEY, now=NOON - timedelta(days=100))
    await owe(store, ["running"], job=key(2))
    await store.record([move(await the_job(store), "succeeded", NOON)])
    assert await store.prune(NOON) == 0
    assert await store.prune(NOON + MINUTE) == 2
    assert keys(await store.jobs()) == [key(2)]


async def test_a_job_of_a_program_that_does_not_assert_goes_by_when_it_was_added(store: OpenStore) -> None:
    await owe(store, ["succeeded"])
    await store.discard(Selection(), NOON)
    await store.statement("UPDATE job SET asserted_at = NULL")
    assert await store.prune(NOON) == 0
    assert await store.prune(LONG_AFTER) == 3


async def test_old_condition_events_are_pruned_how_things_stand_is_not(store: OpenStore) -> None:
    for number, state in enumerate(["unreachable", "recovered", "unreachable"]):
        found = Condition("source/openai/reach", state, f"watcher.source.{state}", state, is_good=state == "recovered")
        at = NOON + number * SECOND
        assert await store.record_findings([Finding(found, at, planned("pager"))], "w1")
    for _ in range(2):
        await settle(store, await claim(store, NOON + MINUTE), DELIVERED)
    before = await store.conditions(["source/openai/reach"])
    assert await store.prune(LONG_AFTER) == 4
    assert await store.conditions(["source/openai/reach"]) == before
    assert [each.event.type for each in await store.deliveries()] == ["watcher.source.unreachable"]  # it is pending


async def test_the_record_stops_growing(store: OpenStore, url: str) -> None:
    """Days of a busy service with a retention of ten: from then on there are as many rows each evening."""
    evenings = []
    for day in range(25):
        today = NOON + day * timedelta(days=1)
        for number in range(3):
            await watch(store, key(100 * day + number), now=today)
        for number, status in enumerate(("queued", "running", "succeeded")):
            jobs = [job for job in await store.jobs() if job.due_at is not None]
            await store.record([move(job, status, today + number * SECOND, ["pager"]) for job in jobs])
            while claimed := await claim(store, today + MINUTE, pager=5):
                await settle(store, claimed, DELIVERED, today + MINUTE)
        await store.prune(today - timedelta(days=10))
        evenings.append([await store.count_rows(table) for table in ("job", "transition", "delivery")])
    assert evenings[9] == [10 * 3, 10 * 9, 10 * 9]
    assert evenings[11:] == [evenings[11]] * 14


async def test_what_a_removed_job_left_behind_is_deleted_with_it(store: OpenStore) -> None:
    await owe(store, ["queued", "running"])
    await store.discard(Selection(), NOON)
    await watch(store, key(2), key(3))
    for each in (KEY, key(2)):
        await store.remove_job(each, NOON)
    assert await store.prune(LONG_AFTER) == 2 + 2 + 2
    assert [job.key for job in await store.jobs(include_removed=True)] == [key(3)]


async def test_a_job_that_goes_on_keeps_its_history(store: OpenStore) -> None:
    await owe(store, ["queued"])
    await settle(store, await claim(store), DELIVERED)
    assert await store.prune(LONG_AFTER) == 0
    assert len(await history(store, KEY)) == len(await store.deliveries()) == 1


async def test_what_is_younger_stays(store: OpenStore) -> None:
    await owe(store, ["succeeded"])
    await settle(store, await claim(store), DELIVERED, NOON + MINUTE)
    await store.remove_job(KEY, NOON + 2 * MINUTE)
    assert await store.prune(NOON) == 0
    assert await store.prune(NOON + MINUTE) == 0
    assert await store.prune(NOON + 2 * MINUTE) == 2
    assert len(await store.jobs(include_removed=True)) == 1
    assert await store.prune(NOON + 3 * MINUTE) == 1
    assert await store.jobs(include_removed=True) == []


async def test_what_is_pending_stays_with_all_it_needs(store: OpenStore) -> None:
    await owe(store, ["queued", "succeeded"])
    await settle(store, await claim(store), FAILED)
    await store.remove_job(KEY, NOON)
    assert await store.prune(LONG_AFTER) == 0
    assert [transition_of(each).status for each in await store.deliveries()] == ["succeeded", "queued"]
    await settle(store, await claim(store, LONG_AFTER), DELIVERED, LONG_AFTER)
    assert await store.prune(LONG_AFTER + MINUTE) == 2
    assert [transition_of(each).status for each in await store.deliveries()] == ["succeeded"]


async def test_it_goes_on_until_all_is_deleted(url: str, store: OpenStore) -> None:
    """In batches of two, past what is in their way and stays."""
    await owe(store, ["queued", "running", "queued"], job=key(9))
    for number in range(5):
        await owe(store, ["queued", "succeeded"], job=key(number))
        await store.remove_job(key(number), NOON)
    await store.discard(Selection(), NOON)
    pruning, total = Pruning(LONG_AFTER, batch=2), 0
    with closing(connect(url)) as database:
        while not pruning.is_done:
            with database.writing() as connection:
                total += pruning.prune(connection)
    assert total == 10 + 10 + 5
    assert keys(await store.jobs(include_removed=True)) == [key(9)]
    assert len(await history(store, key(9))) == 3
