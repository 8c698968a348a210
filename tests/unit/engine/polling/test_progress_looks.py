"""Who is shown the progress of jobs has them looked at more often; what is recorded stays as it is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.doubles import START, ManualClock, ScriptedSource, job_in, observation, runtime, source_state
from watcher.domain.jobs import Job, JobKey, Observation, Progress
from watcher.domain.polling_policy import PollingPolicy
from watcher.engine.polling.progress_looks import Look, Looks
from watcher.engine.polling.source_state import SourceState
from watcher.engine.polling.telemetry import TelemetryReader

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

    def __init__(self, audience: Audience, *, looks: bool = True, age: timedelta = timedelta(minutes=1)) -> None:
        clock = ManualClock()
        self.source = ScriptedSource(clock, {})
        self.job = job_in("running", status_since=START - age)
        self.source.progress_of[self.job.key.id] = HALF
        policy = PollingPolicy(timedelta(seconds=30), timedelta(minutes=5), looks_at_progress=looks)
        self.state: SourceState = source_state(self.source, policy, clock)
        reader = TelemetryReader(None, runtime(clock))
        self.looks = Looks(reader, audience, runtime(clock), judges_metrics=False)

    async def look(self, job: Job | None = None, seen: Observation | None = None) -> Look | None:
        return await self.looks.look(self.state, job or self.job, seen)


async def test_a_look_for_those_who_are_shown_it_changes_no_forecast() -> None:
    audience = Audience()
    world = World(audience)
    assert world.looks.wanted(world.state, world.job)
    assert await world.look() is None
    assert (audience.shown, world.source.looked_at) == ([HALF], [world.job.key.id])
    assert not world.looks.wanted(world.state, world.job)  # whatever it has brought


async def test_a_look_for_a_forecast_is_shown_as_well() -> None:
    audience = Audience(wants=False)
    world = World(audience, age=timedelta(hours=1))
    assert await world.look() == Look(HALF)
    assert audience.shown == [HALF]


@pytest.mark.parametrize("world", [World(Audience(wants=False)), World(Audience(), looks=False)])
async def test_else_no_request_is_made(world: World) -> None:
    assert not world.looks.wanted(world.state, world.job)
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
