"""Who is shown the progress of jobs has them looked at more often; what is recorded stays as it is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.doubles import START, ManualClock, RecordingLog, ScriptedSource, job_in, observation, runtime, source_state
from watcher.domain.jobs import Job, JobKey, Observation, Progress
from watcher.domain.polling_policy import PollingPolicy
from watcher.domain.telemetry import MetricPoint
from watcher.engine.polling.progress_looks import Look, Looks
from watcher.engine.polling.rate_limit import RateLimit
from watcher.engine.polling.source_state import SourceState
from watcher.engine.polling.telemetry import TelemetryReader
from watcher.errors import MissingError, RejectedError

HALF = Progress(3, 6, START)


class Audience:
    """Wants the progress of all jobs, or of none."""

    def __init__(self, *, wants: bool = True) -> None:
        self.is_interested = wants
        self.shown: list[Progress] = []
        self.forgotten: list[JobKey] = []

    def wants(self, _key: JobKey) -> bool:
        return self.is_interested

    def note_asked(self, _key: JobKey) -> None:
        self.is_interested = False

    def show(self, _job: Job, progress: Progress) -> None:
        self.shown.append(progress)

    def forget(self, key: JobKey) -> None:
        self.forgotten.append(key)


class World:
    """A source whose jobs have come half way."""

    def __init__(
        self,
        audience: Audience,
        *,
        looks: bool = True,
        age: timedelta = timedelta(minutes=1),
        rate: int | None = None,
    ) -> None:
        clock = ManualClock()
        self.source = ScriptedSource(clock, {})
        self.job = job_in("running", status_since=START - age)
        self.source.progress_of[self.job.key.id] = HALF
        policy = PollingPolicy(timedelta(seconds=30), timedelta(minutes=5), looks_at_progress=looks)
        self.clock, self.log = clock, RecordingLog()
        self.state: SourceState = source_state(self.source, policy, clock, rate_limit=RateLimit(rate) if rate else None)
        reader = TelemetryReader(None, runtime(clock))
        self.looks = Looks(reader, audience, runtime(clock, self.log), judges_metrics=False)

    async def look(self, job: Job | None = None, seen: Observation | None = None) -> Look | None:
        return await self.looks.look(self.state, job or self.job, seen)

    def is_granted(self) -> bool:
        """Whether a list that says nothing new of the job would lead to a look at it."""
        is_granted = self.job.key in self.looks.grant(self.state, self.looks.wanted(self.state, [self.job]))
        self.looks.end_grant(self.job.key)
        return is_granted

    def fleet(self, count: int) -> list[Job]:
        """As many running jobs, all of which are to be looked at."""
        return [self.job._replace(key=JobKey("openai", f"ftjob-{number}")) for number in range(count)]

    def granted_of(self, jobs: list[Job]) -> list[str]:
        granted = self.looks.grant(self.state, self.looks.wanted(self.state, jobs))
        return [job.key.id for job in jobs if job.key in granted]


async def test_a_look_for_those_who_are_shown_it_changes_no_forecast() -> None:
    audience = Audience()
    world = World(audience)
    assert world.is_granted()
    assert await world.look() is None
    assert (audience.shown, world.source.looked_at) == ([HALF], [world.job.key.id])
    assert not world.is_granted()  # whatever it has brought


async def test_a_look_for_a_forecast_is_shown_as_well() -> None:
    audience = Audience(wants=False)
    world = World(audience, age=timedelta(hours=1))
    assert await world.look() == Look(HALF)
    assert audience.shown == [HALF]


@pytest.mark.parametrize("world", [World(Audience(wants=False)), World(Audience(), looks=False)])
async def test_else_no_request_is_made(world: World) -> None:
    assert not world.is_granted()
    assert await world.look() is None
    assert not world.source.looked_at


async def test_only_a_job_that_runs_is_looked_at() -> None:
    world = World(Audience())
    assert await world.look(job_in("queued")) is None
    assert not world.source.looked_at


async def test_what_the_job_object_says_costs_no_request() -> None:
    audience = Audience(wants=False)
    world = World(audience)
    seen = observation("running")
    told = Observation(
        seen.key, seen.status, seen.state, seen.at, seen.facts, seen.document, progress=Progress(4, 6, START)
    )
    assert await world.look(seen=told) is None
    assert (audience.shown, world.source.looked_at) == ([Progress(4, 6, START)], [])


async def test_a_look_that_finds_nothing_shows_nothing() -> None:
    audience = Audience()
    world = World(audience)
    world.source.progress_of.clear()
    assert await world.look() is None
    assert audience.shown == []


async def test_a_new_status_drops_what_was_to_be_shown() -> None:
    audience = Audience()
    world = World(audience)
    assert await world.look(seen=observation("failed")) is None
    assert audience.forgotten == [world.job.key]


async def test_looks_at_a_fleet_take_a_tenth_of_the_budget_and_come_to_each_job_in_its_turn() -> None:
    world = World(Audience(wants=False), age=timedelta(hours=1), rate=200)
    fleet = world.fleet(50)
    for expected in (range(20), range(20, 40), [*range(40, 50), *range(10)]):
        granted = world.granted_of(fleet)
        assert set(granted) == {f"ftjob-{number}" for number in expected}
        for job in fleet:
            if job.key.id in granted:
                await world.look(job)
                world.looks.end_grant(job.key)
        assert not world.granted_of(fleet)
        world.clock.move(hours=9)


@pytest.mark.parametrize("trouble", [RejectedError("HTTP 403: no scope"), MissingError("HTTP 404")])
async def test_a_source_that_refuses_events_is_left_alone_with_them_and_that_is_said_once(trouble: Exception) -> None:
    world = World(Audience(wants=False), age=timedelta(hours=1))
    fleet = world.fleet(30)
    for job in fleet:
        world.source.progress_of[job.key.id] = trouble
        await world.look(job)
    most = 1 if isinstance(trouble, RejectedError) else 3
    assert len(world.source.looked_at) == most
    assert not world.granted_of(fleet)
    assert world.state.error is None
    assert world.state.breaker.rejection is None
    world.clock.move(hours=1)
    await world.look(fleet[-1])
    assert len(world.source.looked_at) == most + 1
    assert [(level, facts["next_look_in"]) for level, _, facts in world.log.lines] == [("warning", "1h")]


async def test_the_end_of_a_job_is_not_looked_at_either_where_events_are_refused() -> None:
    world = World(Audience(wants=False), age=timedelta(hours=1))
    world.source.progress_of[world.job.key.id] = RejectedError("HTTP 401")
    await world.look()
    seen = observation("succeeded")
    look = await world.look(seen=seen)
    assert look == Look(None)
    await world.looks.look_back(world.state, world.job, seen, look)
    assert len(world.source.looked_at) == 1


async def test_the_end_of_a_job_is_looked_at_once_before_it_is_told_or_after_it() -> None:
    world = World(Audience(wants=False))
    failed = observation("failed")
    await world.looks.look_back(world.state, world.job, failed, await world.look(seen=failed))
    assert len(world.source.looked_at) == 1
    measured = Look(None, measured=(MetricPoint("train_loss", 1, 0.5, START),))
    await world.looks.look_back(world.state, world.job, observation("succeeded"), measured)
    assert len(world.source.looked_at) == 1
