"""What the store tells the page: which jobs need a person, which run, how they train."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.contract.store.scenes import KEY, NOON, REJECTED, claim, key, keys, move, owe, settle, the_job, watch
from tests.doubles import planned
from watcher.domain.conditions import missing_condition
from watcher.domain.job_filter import Concerns, JobFilter, Limits
from watcher.domain.jobs import Job, JobKey, JobSpec
from watcher.domain.polling_policy import MISSING_TOLERATED
from watcher.domain.states import JobState
from watcher.domain.telemetry import MetricPoint
from watcher.engine.ports import Finding
from watcher.store.sql import SqlStore

CONCERNS = Concerns(failed_since=NOON - timedelta(days=1), stuck_since={"running": NOON - timedelta(hours=6)})
LIMITS = Limits(in_trouble=9, page=9, ended=9, points=4)


async def stands(store: SqlStore, job: Job, status: str, hours_ago: float, missing: int = 0) -> None:
    """Let a job have been in a status for so long."""
    change = move(job, status)
    after = change.job._replace(status_since=NOON - timedelta(hours=hours_ago), missing=missing)
    await store.record([replace(change, job=after)])


async def test_a_job_needs_a_person_or_is_under_way_or_has_ended(store: SqlStore) -> None:
    jobs = await watch(store, *[key(number) for number in range(1, 9)])
    for job, (status, age, missing) in zip(
        jobs,
        [
            ("running", 5, 0),
            ("running", 7, 0),
            ("queued", 50, 0),
            ("failed", 2, 0),
            ("failed", 30, 0),
            ("succeeded", 1, MISSING_TOLERATED + 1),
            ("queued", 3, MISSING_TOLERATED + 1),
        ],
        strict=False,
    ):
        await stands(store, job, status, age, missing)
    found = await store.views.overview(CONCERNS, None, LIMITS)
    assert keys(found.in_trouble) == [key(4), key(7), key(2)]
    assert keys(found.page) == [key(1), key(3), key(8)]
    assert keys(found.ended) == [key(6), key(5)]
    counts = {None: 1, JobState.RUNNING: 2, JobState.QUEUED: 2, JobState.FAILED: 2, JobState.SUCCEEDED: 1}
    assert found.counts == counts
    few = await store.views.overview(CONCERNS, None, replace(LIMITS, in_trouble=1, page=2, ended=1))
    assert [len(each) for each in (few.in_trouble, few.page, few.ended)] == [1, 2, 1]


async def test_what_runs_comes_first_also_from_page_to_page(store: SqlStore) -> None:
    jobs = await watch(store, *[key(number) for number in range(1, 6)])
    for job in (jobs[4], jobs[1]):
        await stands(store, job, "running", 1)
    found: list[JobKey] = []
    limits = replace(LIMITS, page=2)
    while page := (await store.views.overview(CONCERNS, found[-1] if found else None, limits)).page:
        found += keys(page)
    assert found == [key(2), key(5), key(1), key(3), key(4)]
    assert (await store.views.overview(CONCERNS, key(9), LIMITS)).page == []


@pytest.mark.parametrize("value", ["nlp", 'a "b" % _ \\', "ü"])
async def test_a_label_is_found_whatever_it_is(store: SqlStore, value: str) -> None:
    others = {"team": "NLP", "team_": value, "other": f'team": "{value}'}
    specs = [JobSpec(key(1), labels={"a": "1", "team": value}), JobSpec(key(2), labels=others), JobSpec(key(3))]
    await store.upsert_jobs(specs, NOON)
    assert keys((await store.views.found(JobFilter(label=("team", value)), None, LIMITS)).page) == [key(1)]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], None),
        ([7], [7]),
        ([0, 2**63 - 1], [0, 2**63 - 1]),
        (list(range(1, 101)), [1, 34, 67, 100]),
        ([1, 2, 3, 1000], [1, 1000]),
    ],
    ids=["none", "one", "far apart", "many", "uneven"],
)
async def test_points_are_spread_over_a_run(store: SqlStore, steps: list[int], expected: list[int] | None) -> None:
    for job in await watch(store, key(1), key(2)):
        await stands(store, job, "running", 1)
    points = [MetricPoint("train_loss", step, float(step), NOON) for step in steps]
    others = [MetricPoint("valid_loss", 5, 1.0, NOON)]
    await store.record_points(key(1), [*points, *others], None, NOON)
    found = await store.views.found(JobFilter(text="ftjob"), None, LIMITS)
    shown = {job: [(point.step, point.value) for point in each] for job, each in found.losses.items()}
    assert shown == ({key(1): [(step, float(step)) for step in expected]} if expected else {})
    assert (await store.views.found(JobFilter(text="nobody"), None, LIMITS)).losses == {}


async def test_what_was_told_of_a_job_and_of_its_conditions_stands_together(store: SqlStore) -> None:
    await owe(store, ("running",), "pager")
    await owe(store, ("running",), "pager", job=key(10))  # its subject begins with that of the other
    for wanted in (KEY, key(10)):
        condition = missing_condition(await the_job(store, wanted), NOON)
        await store.record_findings([Finding(condition, NOON, planned("pager"))], "a watcher")
    told = await store.views.deliveries_of(KEY, 9)
    assert [each.event.type for each in told] == ["watcher.job.missing", "fine_tuning.job.running"]
    assert told[0].event.title.startswith(KEY.id)
    assert len(await store.views.deliveries_of(KEY, 1)) == 1


async def test_dead_deliveries_are_counted(store: SqlStore) -> None:
    await owe(store, ("running",), "pager", "slack")
    assert (await store.views.overview(CONCERNS, None, LIMITS)).dead == 0
    await settle(store, await claim(store, pager=1), REJECTED)
    assert (await store.views.overview(CONCERNS, None, LIMITS)).dead == 1
