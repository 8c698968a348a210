"""Metric points on both databases: kept once, thinned, and gone with their job."""

from __future__ import annotations

import math
from contextlib import closing
from datetime import timedelta

from tests.contract.store.scenes import KEY, NOON, SECOND, key, move, watch
from watcher.domain.states import JobState
from watcher.domain.telemetry import MetricPoint, Milestone
from watcher.store.database import connect
from watcher.store.metric_points import MOST_MILESTONES, MOST_STEPS
from watcher.store.prune import Pruning
from watcher.store.sql import SqlStore


def points(series: str, *steps: int, value: float = 0.5) -> list[MetricPoint]:
    return [MetricPoint(series, step, value, NOON) for step in steps]


async def test_points_and_the_cursor_are_kept(store: SqlStore) -> None:
    await watch(store, KEY)
    assert await store.events_cursor(KEY) is None
    odd = [MetricPoint("loss", 3, math.inf, NOON), *points("loss", 2**70, -1)]
    await store.record_points(KEY, [*points("loss", 2, 1, 2), *odd], "c", NOON)
    assert await store.metric_points(KEY) == [*points("loss", 1, 2), odd[0]]
    assert await store.events_cursor(KEY) == "c"


async def test_a_point_that_is_told_again_is_replaced(store: SqlStore) -> None:
    await watch(store, KEY)
    await store.record_points(KEY, points("loss", 1, 2), "c", NOON)
    await store.record_points(KEY, points("loss", 2, value=math.nan), None, NOON)
    first, second = await store.metric_points(KEY)
    assert (first.value, math.isnan(second.value)) == (0.5, True)
    assert await store.events_cursor(KEY) is None


async def test_of_too_many_points_every_other_one_goes(store: SqlStore) -> None:
    await watch(store, KEY)
    await store.record_points(KEY, points("loss", *range(MOST_STEPS + 1)), None, NOON)
    kept = await store.metric_points(KEY)
    assert len(kept) == MOST_STEPS // 2 + 1
    assert (kept[0].step, kept[-1].step) == (0, MOST_STEPS)


async def test_the_last_points_of_each_series_are_found_without_the_others(store: SqlStore) -> None:
    await watch(store, KEY, key(2))
    await store.record_points(KEY, [*points("a", 1, 2, 30), *points("b", 7)], None, NOON)
    await store.record_points(key(2), points("a", 99), None, NOON)
    assert await store.last_points(KEY) == [*points("a", 30), *points("b", 7)]
    assert await store.last_points(KEY, 2) == [*points("a", 2, 30), *points("b", 7)]


async def test_a_job_that_is_not_there_has_none(store: SqlStore) -> None:
    await store.record_points(KEY, points("loss", 1), "c", NOON)
    await store.record_milestones(KEY, [Milestone(JobState.RUNNING, NOON)])
    assert await store.metric_points(KEY) == []
    assert await store.events_cursor(KEY) is None


async def test_milestones_tell_when_statuses_began(store: SqlStore) -> None:
    (job,) = await watch(store, KEY)
    await store.record([move(job, "running", NOON + 10 * SECOND)])
    queued, running = Milestone(JobState.QUEUED, NOON), Milestone(JobState.RUNNING, NOON + SECOND)
    for _ in range(2):  # a page may be read again
        await store.record_milestones(KEY, [running, queued, running])
    (transition,) = await store.latest_transitions(KEY)
    assert transition.happened_at == NOON + SECOND


async def test_endless_milestones_end_at_a_bound(store: SqlStore) -> None:
    (job,) = await watch(store, KEY)
    await store.record([move(job, "running", NOON + 1000 * SECOND)])
    endless = [Milestone(JobState.RUNNING, NOON + number * SECOND) for number in range(MOST_MILESTONES + 1)]
    await store.record_milestones(KEY, endless)
    await store.record_milestones(KEY, [Milestone(JobState.RUNNING, NOON + 500 * SECOND)])
    (transition,) = await store.latest_transitions(KEY)
    assert transition.happened_at == NOON + (MOST_MILESTONES - 1) * SECOND


async def test_points_of_a_job_that_is_over_have_a_retention_of_their_own(url: str, store: SqlStore) -> None:
    runs, *ended = [key(number) for number in range(4)]
    for each in (runs, *ended):
        (job,) = await watch(store, each)
        await store.record([move(job, "running" if each == runs else "succeeded", NOON)])
        await store.record_points(each, points("loss", 1, 2), "c", NOON)
    await store.record_points(ended[0], points("loss", 3), "d", NOON + 60 * SECOND)
    jobs = await store.jobs()
    assert await store.prune(NOON - 60 * SECOND, NOON) == 0
    pruning, total = Pruning(NOON - 60 * SECOND, NOON + SECOND, runs=1), 0
    with closing(connect(url)) as database:
        while not pruning.is_done:
            with database.writing() as connection:
                total += pruning.prune(connection)
    assert total == 4
    assert [len(await store.metric_points(each)) for each in (runs, *ended)] == [2, 3, 0, 0]
    assert [await store.events_cursor(each) for each in ended] == ["d", "c", "c"]  # they are not read again
    assert await store.jobs() == jobs


async def test_points_go_with_their_job(store: SqlStore) -> None:
    await watch(store, KEY)
    await store.record_points(KEY, points("loss", 1), "c", NOON)
    await store.record_milestones(KEY, [Milestone(JobState.RUNNING, NOON)])
    await store.remove_job(KEY, NOON)
    await store.prune(NOON + timedelta(seconds=1))
    assert await store.metric_points(KEY) == []
