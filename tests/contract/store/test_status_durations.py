"""How long jobs were in their statuses, on both databases: only what was seen whole."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest

from tests.contract.store.scenes import KEY, MINUTE, NOON, SECOND, key, move, watch
from watcher.domain.forecast import Stay
from watcher.domain.jobs import JobFacts, JobKey
from watcher.store.database import connect
from watcher.store.sql import SqlStore
from watcher.store.status_durations import durations, read_stays

HOUR = timedelta(hours=1)


async def live(store: SqlStore, *statuses: str, job: JobKey = KEY, stay: timedelta = MINUTE) -> None:
    """Have a job pass the statuses, so long in each."""
    (current,) = await watch(store, job)
    for number, status in enumerate(statuses):
        change = move(current, status, NOON + number * stay, facts=JobFacts(model="base"))
        await store.record([change])
        current = change.job


async def test_a_status_was_seen_whole_when_its_begin_and_its_end_were(store: SqlStore) -> None:
    await live(store, "validating_files", "queued", "running", "succeeded")
    assert await store.durations("openai") == {"queued": [MINUTE], "running": [MINUTE]}


async def test_whoever_only_looks_on_reads_them_with_the_model(url: str, store: SqlStore) -> None:
    await live(store, "queued", "running", "succeeded")
    assert read_stays(url, ["openai", "azure"]) == {
        "openai": [Stay("running", "base", MINUTE)],
        "azure": [],
    }


@pytest.mark.parametrize(
    ("statuses", "whole"),
    [
        (["running", "succeeded"], set()),
        (["queued", "running", "failed"], {"running"}),
        (["queued", "running", "cancelled"], set()),
        (["queued", "running", "pausing", "paused", "queued"], {"paused"}),
        (["validating_files", "running", "succeeded"], {"running"}),
        (["queued", "validating_files", "succeeded"], set()),
        (["pending", "queued", "running", "queued"], {"queued"}),
        (["queued", "running", "succeeded", "running"], {"running"}),
        (["pending", "compressing", "uploading", "completed"], {"compressing", "uploading"}),
    ],
    ids=[
        "its begin was not seen",
        "failing is an end",
        "a person ended it",
        "a person paused it",
        "skipped only queued",
        "skipped also running",
        "went back",
        "a terminal status has no end",
        "statuses of other services",
    ],
)
async def test_what_was_not_seen_whole_is_left_out(store: SqlStore, statuses: list[str], whole: set[str]) -> None:
    await live(store, *statuses)
    assert set(await store.durations("openai")) == whole


async def test_a_status_entered_by_a_way_that_skipped_only_queued_counts(store: SqlStore) -> None:
    await live(store, "queued", "validating_files", "running", "succeeded")
    assert set(await store.durations("openai")) == {"validating_files", "running"}


async def test_each_source_has_durations_of_its_own_the_newest_first(store: SqlStore) -> None:
    for number in range(3):
        await live(store, "queued", "running", "failed", job=key(number), stay=(number + 1) * HOUR)
    await live(store, "queued", "running", "failed", job=key(1, "azure"), stay=SECOND)
    assert await store.durations("openai") == {"running": [3 * HOUR, 2 * HOUR, HOUR]}
    assert await store.durations("azure") == {"running": [SECOND]}
    assert await store.durations("unknown") == {}


async def test_of_each_status_the_newest_few_are_kept(url: str, store: SqlStore) -> None:
    for number in range(3):
        await live(store, "pending", "queued", "running", "failed", job=key(number), stay=(number + 1) * HOUR)
    kept = [3 * HOUR, 2 * HOUR]
    with closing(connect(url)) as database, database.reading() as connection:
        assert durations(connection, "openai", kept=2) == {"queued": kept, "running": kept}
