"""What the store shows a page at a time, and what it counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.contract.store.scenes import KEY, NOON, key, keys, move, owe, watch
from tests.recorded import history
from watcher.domain.jobs import JobKey, JobSpec
from watcher.domain.states import JobState
from watcher.store.sql import SqlStore

MIXED = [
    JobKey("azure", "z"),
    JobKey("openai", "B"),
    JobKey("openai", "a"),
    JobKey("openai", "a_1"),
    JobKey("openai", "a-1"),
]


async def test_pages_hold_every_watched_job_once(store: SqlStore) -> None:
    await watch(store, *MIXED, key(9))
    await store.remove_job(key(9), NOON)
    paged: list[JobKey] = []
    after: JobKey | None = None
    while page := await store.page_of_jobs(after=after, limit=2):
        assert len(page) <= 2
        paged += [job.key for job in page]
        after = page[-1].key
    assert paged == [job.key for job in await store.jobs()]
    assert set(paged) == set(MIXED)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"source": "azure"}, [key(3, "azure")]),
        ({"status": "running"}, [key(1)]),
        ({"status": "not seen yet"}, [key(3, "azure"), key(2)]),
        ({"status": "not seen yet", "source": "openai"}, [key(2)]),
        ({"source": "openai", "after": key(1)}, [key(2)]),
        ({"status": "succeeded"}, []),
    ],
)
async def test_a_page_can_be_narrowed(store: SqlStore, choice: Mapping[str, Any], expected: list[JobKey]) -> None:
    await watch(store, key(3, "azure"))
    seen, _ = await watch(store, key(1), key(2))
    await store.record([move(seen, "running")])
    assert [job.key for job in await store.page_of_jobs(**choice)] == expected


async def test_jobs_are_counted_by_source_and_state(store: SqlStore) -> None:
    first, second, *_ = await watch(store, key(1), key(2), key(3), key(4), key(5, "azure"))
    await store.record([move(first, "running"), move(second, "running")])
    await store.remove_job(key(4), NOON)
    assert await store.job_counts() == {
        ("openai", JobState.RUNNING): 2,
        ("openai", None): 1,
        ("azure", None): 1,
    }


async def test_the_watched_jobs_are_found_also_those_that_an_origin_wants(store: SqlStore) -> None:
    await store.upsert_jobs([JobSpec(key(1)), JobSpec(key(2)), JobSpec(key(3))], NOON, origin="config")
    await store.upsert_jobs([JobSpec(key(2)), JobSpec(key(4))], NOON, origin="command")
    await store.upsert_jobs([JobSpec(key(5))], NOON)
    await store.remove_job(key(3), NOON)
    assert await store.watched_keys("config") == {key(1), key(2)}
    assert await store.watched_keys("command") == {key(2), key(4)}
    assert await store.watched_keys() == {key(1), key(2), key(4), key(5)}
    assert await store.origins([key(2), key(5), key(6)]) == {key(2): ["command", "config"], key(5): []}


async def test_a_job_that_is_watched_no_more_can_be_left_out(store: SqlStore) -> None:
    await watch(store, key(1))
    assert await store.job(key(1), include_removed=False) == await store.job(key(1))
    await store.remove_job(key(1), NOON)
    assert await store.job(key(1), include_removed=False) is None
    assert await store.job(key(1)) is not None


async def test_deliveries_before_one_are_older(store: SqlStore) -> None:
    await owe(store, ("queued", "running", "succeeded"))
    newest, middle, oldest = await store.deliveries()
    assert list(await store.deliveries(before=newest.id)) == [middle, oldest]
    assert list(await store.deliveries(before=oldest.id)) == []
    assert list(await store.deliveries(before=newest.id, limit=1)) == [middle]


async def test_the_latest_transitions_come_newest_first_and_in_pages(store: SqlStore) -> None:
    await owe(store, ("queued", "running", "paused", "succeeded"))
    whole = (await history(store, KEY))[::-1]
    assert await store.latest_transitions(KEY) == whole
    assert await store.count_transitions(KEY) == len(whole)
    assert await store.count_transitions(key(2)) == 0
    assert await store.latest_transitions(KEY, 2) == whole[:2]
    assert await store.latest_transitions(KEY, 5, whole[1].seq) == whole[2:]
    assert await store.latest_transitions(KEY, 5, whole[-1].seq) == []


async def test_many_jobs_are_removed_at_once(store: SqlStore) -> None:
    await watch(store, key(1), key(2), key(3), key(1, "azure"))
    assert await store.drop_origin({key(1), key(2), key(9)}, "config", NOON) == 2
    assert keys(await store.jobs()) == [key(1, "azure"), key(3)]
    assert await store.drop_origin([key(1)], "config", NOON) == 0
