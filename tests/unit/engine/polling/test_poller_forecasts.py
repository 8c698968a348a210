"""Polls follow what is expected of a job, and what is expected is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from math import nan
from pathlib import Path

import pytest

from tests.doubles import (
    START,
    FaultyStore,
    ManualClock,
    RecordingLog,
    ScriptedSource,
    observation,
    runtime,
    source_state,
    until,
)
from watcher.domain.jobs import Basis, Job, JobFacts, JobKey, JobSpec, Observation, Progress
from watcher.domain.polling_policy import PollingPolicy
from watcher.domain.routing import Events, Route
from watcher.domain.telemetry import MetricPoint
from watcher.engine.polling.list_scan import Strategy
from watcher.engine.polling.look_allowance import LookAllowance
from watcher.engine.polling.poller import Poller
from watcher.errors import StoreUnavailableError, TransientError
from watcher.store.sql import SqlStore

INTERVAL = timedelta(seconds=30)
ADAPTIVE = PollingPolicy(INTERVAL, timedelta(minutes=5), looks_at_progress=True)
FIXED = PollingPolicy(INTERVAL, timedelta(minutes=5), is_adaptive=False, looks_at_progress=True)
KEY = JobKey("openai", "a")


class Estimating(ScriptedSource):
    """Says when it expects the job to end."""

    estimate = START + timedelta(hours=1)

    async def retrieve(self, job_id: str, known: str | None = None) -> Observation | None:
        await super().retrieve(job_id, known)
        return observation(self.script[job_id][0], self.clock(), KEY, JobFacts(estimated_finish=self.estimate))  # type: ignore[arg-type]


class World:
    """One job between a source and a real store, polled whenever it is due."""

    def __init__(
        self,
        store: SqlStore,
        source: ScriptedSource,
        polling_policy: PollingPolicy,
        metrics: SqlStore | None = None,
        routes: Sequence[Route] = (),
    ) -> None:
        self.clock = source.clock
        self.log = RecordingLog()
        self.store = store
        self.source = source
        self.faults = FaultyStore(store)
        parts = self.faults, runtime(self.clock, self.log)
        self.poller = Poller(*parts, routes=routes, wake_delivery=lambda: None, metrics=metrics)
        self.state = source_state(source, polling_policy, self.clock, 4)
        self.poller.sources.add(self.state)

    async def poll(self) -> Job:
        """Let the job be due and polled; return what is recorded of it then."""
        asked = len(self.source.asked)
        job = await self.store.job(KEY)
        assert isinstance(self.clock, ManualClock)
        if job and job.due_at:
            self.clock.at = job.due_at
        task = asyncio.create_task(self.poller.run())
        self.poller.wake()
        await until(lambda: len(self.source.asked) > asked and self.state.is_idle)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        job = await self.store.job(KEY)
        assert job is not None
        return job


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as opened:
        await opened.upsert_jobs([JobSpec(KEY)], START)
        yield opened


def running() -> ScriptedSource:
    return ScriptedSource(ManualClock(), {"a": ["running"]})


async def test_the_estimate_of_the_api_is_recorded_and_followed(store: SqlStore) -> None:
    world = World(store, Estimating(ManualClock(), {"a": ["running"]}), ADAPTIVE)
    await world.poll()
    job = await world.poll()

    assert job.forecast is not None
    assert (job.forecast.at, job.forecast.basis) == (Estimating.estimate, Basis.ESTIMATED_FINISH)
    assert job.due_at is not None
    assert job.due_at - world.clock() > INTERVAL
    world.source.script["a"] = ["succeeded"]
    assert (await world.poll()).forecast is None


async def test_progress_is_looked_at_seldom_and_its_forecast_followed(store: SqlStore) -> None:
    source = running()
    world = World(store, source, ADAPTIVE)
    await world.poll()
    source.progress_of["a"] = Progress(100, 1000, START + timedelta(minutes=4))
    polls = 0
    while not source.looked_at and polls < 40:
        job, polls = await world.poll(), polls + 1

    assert source.looked_at == ["a"]
    assert job.forecast is not None
    assert (job.forecast.at, job.forecast.basis) == (START + timedelta(minutes=40), Basis.PROGRESS)
    await world.poll()
    assert source.looked_at == ["a"]


async def test_a_look_that_fails_changes_nothing_and_is_not_repeated_at_once(store: SqlStore) -> None:
    source = running()
    source.progress_of["a"] = TransientError("HTTP 503")
    world = World(store, source, ADAPTIVE)
    for _ in range(20):
        job = await world.poll()

    assert 1 <= len(source.looked_at) <= 5
    assert (job.status, job.failures) == ("running", 0)
    assert job.forecast is not None
    assert job.forecast.at is None


async def test_what_earlier_jobs_took_is_expected_again(store: SqlStore) -> None:
    world = World(store, running(), PollingPolicy(INTERVAL, timedelta(minutes=5)))
    world.faults.known_durations = {"running": [timedelta(minutes=40)] * 20}
    await world.poller.sources.refresh_durations(world.faults, world.log)
    await world.poll()
    job = await world.poll()

    assert job.forecast is not None
    assert (job.forecast.at, job.forecast.basis) == (START + timedelta(minutes=40), Basis.HISTORY)


async def test_a_fixed_cadence_expects_an_end_for_people_and_polls_as_ever(store: SqlStore) -> None:
    world = World(store, Estimating(ManualClock(), {"a": ["running"]}), FIXED)
    await world.poll()
    job = await world.poll()

    assert job.forecast is not None
    assert job.forecast.basis is Basis.ESTIMATED_FINISH
    assert job.due_at == world.clock() + INTERVAL


@pytest.mark.parametrize("policy", [ADAPTIVE, FIXED], ids=["adaptive", "fixed"])
async def test_metric_points_are_read_whatever_the_cadence_and_whoever_knows_the_end(
    store: SqlStore, policy: PollingPolicy
) -> None:
    world = World(store, Estimating(ManualClock(), {"a": ["running"]}), policy, metrics=store)
    world.source.points_of["a"] = (MetricPoint("train_loss", 9, 0.5, START),)
    for _ in range(20):
        job = await world.poll()

    assert 1 <= len(world.source.looked_at) <= 5
    assert await store.metric_points(KEY)
    assert job.forecast is not None
    assert job.forecast.basis is Basis.ESTIMATED_FINISH


async def test_without_the_record_nothing_is_known_of_earlier_jobs(store: SqlStore) -> None:
    world = World(store, running(), ADAPTIVE)
    world.faults.known_durations = StoreUnavailableError("the disk is full")
    await world.poller.sources.refresh_durations(world.faults, world.log)

    assert world.state.usual_stays == {}
    assert world.log.events("debug") == ["no durations of earlier jobs"]


async def test_a_job_that_ends_is_looked_at_once_more(store: SqlStore) -> None:
    """Even where the metric points of it are recorded."""
    world = World(store, running(), ADAPTIVE, metrics=store)
    world.source.points_of["a"] = (MetricPoint("train_loss", 9, 0.5, START),)
    await world.poll()
    world.source.script["a"] = ["succeeded"]
    assert (await world.poll()).status == "succeeded"
    assert world.source.looked_at == ["a"]
    await until(lambda: world.state.is_idle)
    assert await store.metric_points(KEY) == [MetricPoint("train_loss", 9, 0.5, START)]
    end, *_ = await store.latest_transitions(KEY)
    assert end.measured == (MetricPoint("train_loss", 9, 0.5, START),)


async def test_a_job_that_fails_is_looked_at_once_it_is_recorded(store: SqlStore) -> None:
    world = World(store, running(), ADAPTIVE, metrics=store)
    world.source.points_of["a"] = (MetricPoint("train_loss", 9, 0.5, START),)
    await world.poll()
    world.source.script["a"] = ["failed"]
    assert (await world.poll()).status == "failed"
    await until(lambda: world.state.is_idle)
    assert world.source.looked_at == ["a"]
    end, *_ = await store.latest_transitions(KEY)
    assert end.measured == ()


ROUTES = [Route("jobs"), Route("metrics", events=frozenset({Events.METRICS}))]


async def test_a_run_that_goes_wrong_is_an_event_for_who_asks_for_it(store: SqlStore) -> None:
    world = World(store, running(), ADAPTIVE, store, ROUTES)
    await world.poll()
    await world.poll()
    assert await store.deliveries() == []
    await store.record_points(KEY, [MetricPoint("train_loss", 9, nan, START)], None, START)
    for _ in range(10):  # not every poll looks at a job's points
        await world.poll()
    told = [(each.notifier, each.event.type) for each in await store.deliveries()]
    assert told == [("metrics", "watcher.job.metrics")]


async def test_looks_that_a_fleet_wants_at_once_crowd_out_no_poll(store: SqlStore) -> None:
    """The list settles the jobs whose looks have to wait, and they come to them later."""
    ids = [f"a{number}" for number in range(60)]
    clock = ManualClock()
    source = ScriptedSource(clock, {job_id: ["running"] for job_id in ids})
    await store.remove_job(KEY, START)
    await store.upsert_jobs([JobSpec(JobKey("openai", job_id)) for job_id in ids], START)
    world = World(store, source, FIXED)
    world.state.scan.strategy = Strategy.LIST
    world.state.looks = LookAllowance(200, lambda: clock().timestamp())
    asked_at_each_scan = []
    async with asyncio.timeout(20):
        task = asyncio.create_task(world.poller.run())
        for minutes in (0, 15, 1, 1, 1):
            clock.move(minutes=minutes)
            asked, pages = len(source.asked), len(source.pages_asked)
            while not (len(source.asked) + len(source.pages_asked) > asked + pages and world.state.is_idle):
                world.poller.wake()
                await asyncio.sleep(0.001)
            asked_at_each_scan.append(len(source.asked) - asked)
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert sorted(source.looked_at) == sorted(ids)
    assert asked_at_each_scan[0] == 60  # none was known yet
    assert all(20 <= asked <= 25 for asked in asked_at_each_scan[1:4])  # some are verified at each scan
    assert asked_at_each_scan[4] <= 5
