"""Forgetting what is over and old, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.contract.store.scenes import DELIVERED, FAILED, KEY, MINUTE, NOON, REJECTED, claim, key, owe, settle, watch
from watcher.domain.deliveries import Outcome
from watcher.store import prune
from watcher.store.sql import Selection, SqlStore

LONG_AFTER = NOON + timedelta(days=90)


@pytest.mark.parametrize("outcome", [DELIVERED, REJECTED])
async def test_what_a_finished_job_left_behind_is_deleted_the_job_stays(store: SqlStore, outcome: Outcome) -> None:
    await owe(store, ["succeeded"], "pager", "chat")
    await settle(store, await claim(store, pager=1, chat=1), outcome)
    before = await store.jobs()
    assert await store.prune(LONG_AFTER) == 3
    assert await store.deliveries() == []
    assert await store.history(KEY) == []
    assert await store.jobs() == before


async def test_what_a_removed_job_left_behind_is_deleted_with_it(store: SqlStore) -> None:
    await owe(store, ["queued", "running"])
    await store.discard(Selection(), NOON)
    await watch(store, key(2), key(3))
    for each in (KEY, key(2)):
        await store.remove_job(each, NOON)
    assert await store.prune(LONG_AFTER) == 2 + 2 + 2
    assert [job.key for job in await store.jobs(include_removed=True)] == [key(3)]


async def test_a_job_that_goes_on_keeps_its_history(store: SqlStore) -> None:
    await owe(store, ["queued"])
    await settle(store, await claim(store), DELIVERED)
    assert await store.prune(LONG_AFTER) == 0
    assert len(await store.history(KEY)) == len(await store.deliveries()) == 1


async def test_what_is_younger_stays(store: SqlStore) -> None:
    await owe(store, ["succeeded"])
    await settle(store, await claim(store), DELIVERED, NOON + MINUTE)
    await store.remove_job(KEY, NOON + 2 * MINUTE)
    assert await store.prune(NOON) == 0
    assert await store.prune(NOON + MINUTE) == 0
    assert await store.prune(NOON + 2 * MINUTE) == 2
    assert len(await store.jobs(include_removed=True)) == 1
    assert await store.prune(NOON + 3 * MINUTE) == 1
    assert await store.jobs(include_removed=True) == []


async def test_what_is_pending_stays_with_all_it_needs(store: SqlStore) -> None:
    await owe(store, ["queued", "succeeded"])
    await settle(store, await claim(store), FAILED)
    await store.remove_job(KEY, NOON)
    assert await store.prune(LONG_AFTER) == 0
    assert [each.transition.status for each in await store.deliveries()] == ["succeeded", "queued"]
    await settle(store, await claim(store, LONG_AFTER), DELIVERED, LONG_AFTER)
    assert await store.prune(LONG_AFTER + MINUTE) == 2
    assert [each.transition.status for each in await store.deliveries()] == ["succeeded"]


async def test_it_goes_on_until_all_is_deleted(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prune, "BATCH", 2)
    for number in range(5):
        await owe(store, ["queued", "succeeded"], job=key(number))
        await store.remove_job(key(number), NOON)
    await store.discard(Selection(), NOON)
    assert await store.prune(LONG_AFTER) == 10 + 10 + 5
    assert await store.jobs(include_removed=True) == []
