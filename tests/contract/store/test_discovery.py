"""What rules of discovery bring, on both databases: each job once, for as long as anything wants it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from tests.contract.store.scenes import KEY, NOON, key, move, the_job
from watcher.domain.discovery_line import Line
from watcher.domain.jobs import JobKey, JobSpec
from watcher.engine.ports import Adopted, Adoption, RecordedLine
from watcher.store.discovery import LIMITED_FOR
from watcher.store.sql import SqlStore

LINE = Line(NOON, {"ftjob-é\"'": NOON, "undated": None}, frozenset({"a", "b"}), is_drawn=True)


def adoption(*keys: JobKey, rule: str = "nlp", seq: int = 0, line: Line = LINE, limit: int = 1000) -> Adoption:
    specs = [JobSpec(each, "bot", {"team": "nlp"}) for each in keys]
    return Adoption(rule, "openai", f"rule:{rule}", limit, specs, RecordedLine(line, "what it was", seq))


async def watched(store: SqlStore) -> list[JobKey]:
    return [job.key for job in await store.jobs()]


async def test_a_rule_brings_jobs_and_its_line_comes_back_as_it_was(store: SqlStore) -> None:
    assert await store.lines("openai") == {}
    assert await store.adopt(adoption(KEY), NOON) == Adopted([KEY], 0)
    job = await the_job(store)
    assert (job.name, job.labels, job.due_at) == ("bot", {"team": "nlp"}, NOON)
    assert await store.lines("openai") == {"nlp": RecordedLine(LINE, "what it was", 1)}
    assert await store.lines("azure") == {}


async def test_replicas_bring_a_job_once(store: SqlStore, url: str) -> None:
    async with SqlStore(url) as other:
        both = await asyncio.gather(*(each.adopt(adoption(KEY), NOON) for each in (store, other)))
    assert sorted(len(each.added) for each in both) == [0, 1]
    assert await watched(store) == [KEY]


async def test_of_two_lines_drawn_at_once_the_first_counts(store: SqlStore) -> None:
    later = replace(LINE, before=NOON + timedelta(hours=1))
    await store.adopt(adoption(), NOON)
    await store.adopt(adoption(line=replace(LINE, is_drawn=False)), NOON)
    assert (await store.lines("openai"))["nlp"] == RecordedLine(LINE, "what it was", 1)
    await store.adopt(adoption(seq=1, line=later), NOON)
    await store.adopt(adoption(seq=1), NOON)
    assert (await store.lines("openai"))["nlp"] == RecordedLine(later, "what it was", 2)


async def test_what_people_said_of_a_job_stays(store: SqlStore) -> None:
    await store.upsert_jobs([JobSpec(KEY, "theirs", {"a": "b"})], NOON, origin="command")
    assert await store.adopt(adoption(KEY), NOON) == Adopted([], 0)
    job = await the_job(store)
    assert (job.name, job.labels) == ("theirs", {"a": "b"})


async def test_a_rule_that_ends_takes_along_what_only_it_brought(store: SqlStore) -> None:
    await store.upsert_jobs([JobSpec(key(12))], NOON, origin="config")
    await store.upsert_jobs([JobSpec(key(13))], NOON)  # by a program that noted no origin
    await store.adopt(adoption(KEY, key(12), key(13), key(14)), NOON)
    await store.adopt(adoption(key(14), rule="n_p"), NOON)
    assert await store.end_rules(["n_p"], ["azure"], NOON) == {}
    assert await store.end_rules(["n_p"], ["openai", "azure"], NOON) == {"nlp": 1}
    assert await watched(store) == [key(12), key(13), key(14)]
    assert await store.end_rules([], ["openai"], NOON) == {"n_p": 1}
    assert await watched(store) == [key(12), key(13)]
    assert await store.lines("openai") == {}


async def test_what_the_configuration_lets_go_stays_for_a_rule_that_wants_it(store: SqlStore) -> None:
    await store.upsert_jobs([JobSpec(KEY), JobSpec(key(12))], NOON, origin="config")
    await store.upsert_jobs([JobSpec(key(13))], NOON)
    await store.adopt(adoption(KEY), NOON)
    assert await store.drop_origin([KEY, key(12), key(13), key(14)], "config", NOON) == 2
    assert await watched(store) == [KEY]
    assert await store.end_rules([], ["openai"], NOON) == {"nlp": 1}


async def test_what_a_person_has_removed_does_not_come_back_by_a_rule(store: SqlStore) -> None:
    await store.adopt(adoption(KEY), NOON)
    await store.remove_job(KEY, NOON)
    assert await store.adopt(adoption(KEY, seq=1), NOON) == Adopted([], 0)
    assert await watched(store) == []
    await store.upsert_jobs([JobSpec(KEY)], NOON, origin="command")
    assert await store.end_rules([], ["openai"], NOON) == {"nlp": 0}
    assert await watched(store) == [KEY]


async def test_what_a_rule_took_along_comes_back_with_it_where_it_stood(store: SqlStore) -> None:
    await store.adopt(adoption(KEY), NOON)
    await store.record([move(await the_job(store), "running")])
    await store.end_rules([], ["openai"], NOON)
    later = NOON + timedelta(hours=1)
    assert await store.adopt(adoption(KEY), later) == Adopted([KEY], 0)
    job = await the_job(store)
    assert (job.status, job.due_at) == ("running", later)


async def test_a_rule_brings_no_more_than_its_limit(store: SqlStore) -> None:
    """What has ended counts for another day: a list of jobs that end at once cannot fill the store either."""
    assert await store.adopt(adoption(*(key(n) for n in range(5)), limit=3), NOON) == Adopted(
        [key(n) for n in range(3)], 2
    )
    assert await store.adopt(adoption(key(7), limit=3, seq=1), NOON) == Adopted([], 1)
    await store.record([move(await the_job(store, key(0)), "succeeded")])
    assert await store.adopt(adoption(key(7), limit=3, seq=1), NOON) == Adopted([], 1)
    later = NOON + LIMITED_FOR + timedelta(minutes=1)
    assert await store.adopt(adoption(key(7), key(8), limit=3, seq=1), later) == Adopted([key(7)], 1)
    assert await store.adopt(adoption(key(9), rule="nl", limit=3), later) == Adopted([key(9)], 0)
