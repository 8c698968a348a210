"""The store of jobs, on both databases."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.contract.store.open_store import OpenStore
from tests.contract.store.scenes import (
    DELIVERED,
    KEY,
    MINUTE,
    NOON,
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
from tests.recorded import history
from watcher.domain.jobs import Job, JobFacts, JobSpec
from watcher.engine.ports import Change, ClaimRequest
from watcher.store.sql import UpsertResult


async def test_a_new_job_is_due_at_once(store: OpenStore) -> None:
    spec = JobSpec(KEY, "support-bot v3, größer", {"team": "nlp", "größe": "≥ 3"})
    assert await store.upsert_jobs([spec], NOON) == UpsertResult(added=1, updated=0, revived=0)
    assert await store.jobs() == [Job(KEY, spec.name, spec.labels, due_at=NOON)]


async def test_a_job_can_be_made_due_unless_it_has_ended_or_is_not_watched(store: OpenStore) -> None:
    _, _, ended = await watch(store, key(1), key(2), key(3))
    await claim_jobs(store)
    await store.remove_job(key(2), NOON)
    await store.record([move(ended, "succeeded")])

    assert [await store.make_due(key(number), NOON + SECOND) for number in (1, 2, 3, 9)] == [True, False, True, False]
    assert keys(await claim_jobs(store, now=NOON + SECOND)) == [key(1)]


async def test_moments_come_back_in_utc_to_the_microsecond(store: OpenStore) -> None:
    await watch(store, KEY)
    due_at = (await the_job(store)).due_at
    assert due_at == NOON
    assert due_at is not None
    assert due_at.tzinfo is UTC


async def test_the_same_jobs_again_change_nothing(store: OpenStore) -> None:
    specs = [JobSpec(KEY, "bot", {"b": "2", "a": "1"}), JobSpec(key(2))]
    await store.upsert_jobs(specs, NOON)
    before = await store.jobs()
    again = [JobSpec(KEY, "bot", {"a": "1", "b": "2"}), JobSpec(key(2))]
    assert await store.upsert_jobs(again, NOON + MINUTE) == UpsertResult(0, 0, 0)
    assert await store.jobs() == before


async def test_name_and_labels_become_what_is_given_even_nothing(store: OpenStore) -> None:
    await store.upsert_jobs([JobSpec(KEY, "bot", {"team": "nlp"}), JobSpec(key(2), "other")], NOON)
    assert await store.upsert_jobs([JobSpec(KEY), JobSpec(key(2), "other")], NOON + MINUTE) == UpsertResult(0, 1, 0)
    assert await the_job(store) == Job(KEY, due_at=NOON)


async def test_the_last_one_counts_where_a_job_comes_twice(store: OpenStore) -> None:
    assert await store.upsert_jobs([JobSpec(KEY, "first"), JobSpec(KEY, "last")], NOON) == UpsertResult(1, 0, 0)
    assert (await the_job(store)).name == "last"


async def test_more_jobs_than_a_statement_takes_parameters(store: OpenStore) -> None:
    specs = [JobSpec(key(number)) for number in range(1_201)]
    assert await store.upsert_jobs(specs, NOON) == UpsertResult(1_201, 0, 0)
    assert await store.upsert_jobs(specs, NOON) == UpsertResult(0, 0, 0)
    assert len(await claim_jobs(store, 5_000)) == 1_201


async def test_others_get_their_turn_while_many_jobs_are_changed(store: OpenStore) -> None:
    specs = [JobSpec(key(number)) for number in range(4_001)]
    for change in (
        store.upsert_jobs(specs, NOON, origin="config"),
        store.drop_origin([spec.key for spec in specs], "config", NOON),
    ):
        changing = asyncio.create_task(change)
        await asyncio.sleep(0)
        await store.make_due(KEY, NOON)
        assert not changing.done()
        assert await changing in (UpsertResult(4_001, 0, 0), 4_001)


async def test_jobs_are_listed_by_source_and_id(store: OpenStore) -> None:
    await watch(store, key(2), key(1), key(3, "azure"))
    assert keys(await store.jobs()) == [key(3, "azure"), key(1), key(2)]


async def test_a_job_holds_the_facts_of_its_last_observation(store: OpenStore) -> None:
    first, _ = await watch(store, KEY, key(2))
    assert first.facts is None
    running = move(first, "running", facts=JobFacts(model="base"))
    ended = move(running.job, "succeeded", NOON + MINUTE, facts=JobFacts(model="base", fine_tuned_model="ft:base"))
    for change in (running, ended):
        await store.record([change])
    assert [job.facts for job in await store.jobs()] == [JobFacts(model="base", fine_tuned_model="ft:base"), None]


async def test_an_id_is_found_at_every_source(store: OpenStore) -> None:
    await watch(store, key(1), key(1, "azure"), key(2))
    assert keys(await store.find_jobs("ftjob-1")) == [key(1, "azure"), key(1)]
    assert await store.find_jobs("ftjob-9") == []
    assert await store.job(key(2, "azure")) is None


async def test_a_removed_job_is_watched_no_more_but_not_forgotten(store: OpenStore) -> None:
    await owe(store, ["running"])
    seen = await the_job(store)
    assert await store.remove_job(KEY, NOON)
    assert await store.jobs() == []
    assert await store.jobs(include_removed=True) == await store.find_jobs(KEY.id) == [seen._replace(due_at=None)]
    assert await claim_jobs(store, now=NOON + 2 * MINUTE) == ()
    assert len(await history(store, KEY)) == 1


async def test_removing_tells_whether_the_job_was_watched(store: OpenStore) -> None:
    await watch(store, KEY)
    assert [await store.remove_job(KEY, NOON) for _ in range(2)] == [True, False]
    assert not await store.remove_job(key(2), NOON)


async def test_a_removed_job_that_is_named_again_goes_on_where_it_stood(store: OpenStore) -> None:
    await owe(store, ["running"])
    seen = await the_job(store)
    await store.record([Change(seen.seq, seen._replace(failures=5, missing=5, last_error="404"))])
    await store.remove_job(KEY, NOON)
    assert await store.upsert_jobs([JobSpec(KEY)], NOON + MINUTE) == UpsertResult(0, 0, revived=1)
    assert await the_job(store) == seen._replace(due_at=NOON + MINUTE)


@pytest.mark.parametrize("is_removed", [False, True])
@pytest.mark.parametrize("ask_again", [False, True])
async def test_a_job_that_has_ended_is_polled_only_when_somebody_asks(
    store: OpenStore, *, ask_again: bool, is_removed: bool
) -> None:
    await owe(store, ["succeeded"])
    if is_removed:
        await store.remove_job(KEY, NOON)
    await store.upsert_jobs([JobSpec(KEY)], NOON, ask_again=ask_again)
    taken = await claim_jobs(store)
    assert keys(taken) == ([KEY] if ask_again else [])
    # It answers as it did before, and so is polled no more.
    await store.record([Change(job.seq, job._replace(due_at=None)) for job in taken])
    assert await claim_jobs(store, now=NOON + 5 * MINUTE) == ()


async def test_asking_again_leaves_a_job_that_goes_on_to_its_cadence(store: OpenStore) -> None:
    await owe(store, ["running"])
    before = await the_job(store)
    await store.upsert_jobs([JobSpec(KEY)], NOON, ask_again=True)
    assert await the_job(store) == before


async def test_two_watchers_may_bring_the_same_new_jobs(url: str, store: OpenStore) -> None:
    specs = [JobSpec(key(number)) for number in range(300)]
    async with OpenStore(url) as other:
        results = await asyncio.gather(*(each.upsert_jobs(specs, NOON) for each in (store, other)))
    assert sum(result.added for result in results) == 300
    assert len(await store.jobs()) == 300


async def test_looking_for_work_writes_nothing_when_there_is_none(sqlite_path: Path) -> None:
    async with OpenStore(f"sqlite:///{sqlite_path}") as store:
        await owe(store, ["running"])
        with sqlite3.connect(sqlite_path) as onlooker:
            before = onlooker.execute("PRAGMA data_version").fetchone()
            await store.claim_due(
                {"openai": ClaimRequest(10, NOON + MINUTE), "azure": ClaimRequest(5, NOON + MINUTE, SECOND)}, NOON
            )
            await store.claim({"pager": 10, "chat": 5}, NOON - MINUTE, NOON + MINUTE)
            await store.record([])
            await store.settle([])
            assert onlooker.execute("PRAGMA data_version").fetchone() == before
            await store.claim({"pager": 10}, NOON, NOON + MINUTE)
            assert onlooker.execute("PRAGMA data_version").fetchone() != before
        onlooker.close()


async def test_no_round_of_work_reads_a_whole_table(sqlite_path: Path) -> None:
    """So that it costs the same with a million settled deliveries. Told by SQLite's own plans."""
    async with OpenStore(f"sqlite:///{sqlite_path}") as store:
        await watch(store, KEY)
        done: list[str] = []

        def note(connection: Connection, action: Callable[[str], None] | None) -> None:
            driver: Any = connection.connection.driver_connection
            driver.set_trace_callback(action)

        def plan(connection: Connection, sql: str) -> list[str]:
            return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]

        await store.read(note, done.append)
        await owe(store, ["queued"])
        assert await claim_jobs(store, now=NOON + MINUTE)
        await settle(store, await claim(store), DELIVERED)
        await store.read(note, None)
        work = [sql for sql in done if sql.startswith(("SELECT", "UPDATE", "WITH", "INSERT"))]
        steps = [step for sql in work for step in await store.read(plan, sql)]
    assert any("USING INDEX delivery_due" in step for step in steps)
    assert any("USING INDEX job_due" in step for step in steps)
    # What a parameter holds, and what people have muted: a handful of rows.
    small = {"SCAN value VIRTUAL TABLE INDEX 1:", "SCAN claimable", "SCAN silence"}
    assert [step for step in steps if step.startswith("SCAN") and step not in small] == []


@pytest.mark.parametrize(
    "status", ["paused", "über-queued", "nul\0", "half \ud83d", "back\\slash", r"\u0000", 'qu"ote']
)
async def test_any_status_and_name_come_back_as_they_were(store: OpenStore, status: str) -> None:
    await store.upsert_jobs([JobSpec(KEY, status, {"label": status})], NOON)
    job = await the_job(store)
    assert (job.name, job.labels) == (status, {"label": status})
    change = move(job, status)
    await store.record([change])
    assert (await the_job(store)).status == status
    await store.record([move(change.job, "running", NOON + SECOND)])
    assert [each.status for each in await history(store, KEY)] == [status, "running"]
    assert (await history(store, KEY))[1].previous_status == status
