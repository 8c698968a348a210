"""The poller has new jobs looked for: in the pages that it reads anyway, else by a look of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Self

import pytest

from tests.doubles import START, ManualClock, RecordingLog, ScriptedSource, runtime, source_state, until
from tests.recorded import history
from watcher.domain.discovery import watch_all
from watcher.domain.jobs import JobKey, JobSpec, ListedJob
from watcher.domain.polling_policy import PROBE_INTERVAL, PollingPolicy
from watcher.domain.routing import FirstSeen, Route
from watcher.domain.states import OPENAI_STATES
from watcher.engine.polling.discovery import Discovery, SourceRules
from watcher.engine.polling.poller import Poller
from watcher.errors import MissingError, RejectedError, TransientError
from watcher.store.sql import SqlStore

INTERVAL = timedelta(seconds=30)


class World:
    """A poller of one source of which all jobs are watched."""

    def __init__(self, store: SqlStore) -> None:
        self.clock, self.log, self.store = ManualClock(), RecordingLog(), store
        self.source = ScriptedSource(self.clock, {})
        ours = runtime(self.clock, self.log)
        routes = [Route("all", first_seen=FirstSeen.ALWAYS)]
        self.poller = Poller(store, ours, routes=routes, wake_delivery=lambda: None)
        policy = PollingPolicy(INTERVAL, timedelta(minutes=5), is_adaptive=False)
        self.state = source_state(self.source, policy, self.clock, 500)
        rules = SourceRules((watch_all("openai"),), OPENAI_STATES, INTERVAL)
        self.state.discovery = Discovery(self.source, rules, store=store, runtime=ours)
        self.poller.sources.add(self.state)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.poller.run())
        await self.turn()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def add(self, *ids: str, status: str = "running") -> None:
        for job_id in ids:
            self.source.script[job_id] = [status]
            self.source.described[job_id] = ListedJob(status, self.clock())
            self.source.listed.insert(0, job_id)

    async def turn(self, **duration: float) -> None:
        """Move the clock, and let all that is due be asked for, and what that brings."""
        await self._settle(2)  # a look that has begun must not see the clock move
        self.clock.move(**duration)
        await self._settle(3)

    async def _settle(self, rounds: int) -> None:
        for _ in range(rounds):
            self.poller.first_turn.clear()
            self.poller.wake()
            await self.poller.first_turn.wait()
            await until(lambda: self.state.is_idle)

    async def until_told(self, job_id: str, status: str) -> None:
        """Let what was observed be recorded: of a job that is told of for the first time."""
        async with asyncio.timeout(5):
            while [each.status for each in await history(self.store, JobKey("openai", job_id))] != [status]:
                await asyncio.sleep(0.001)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as opened:
        yield opened


async def test_a_new_job_is_found_and_retrieved_at_once(store: SqlStore) -> None:
    async with World(store) as world:
        world.add("brief", status="succeeded")
        await world.turn(seconds=30)
        await world.until_told("brief", "succeeded")
        assert world.source.pages_asked == [None, None]
        assert [each.last_success for each in world.poller.sources.health()] == [world.clock()]
        assert [each.adopted for each in world.poller.sources.discovered()] == [1]


async def test_a_list_that_is_read_anyway_is_not_asked_for_again(store: SqlStore) -> None:
    async with World(store) as world:
        world.add(*(f"job-{number}" for number in range(60)))
        await world.turn(seconds=30)
        assert world.poller.watched == 60
        world.source.pages_asked = []
        world.add("new")
        await world.turn(seconds=30)
        assert world.source.pages_asked == [None]
        await world.until_told("new", "running")


async def test_a_source_that_cannot_be_read_is_told_once_and_tried_again(store: SqlStore) -> None:
    world = World(store)
    world.source.list_trouble = TransientError("HTTP 503", retry_after=timedelta(seconds=1))
    async with world:
        await world.turn(seconds=30)
        assert world.log.events("warning") == ["the list cannot be read, so no new jobs are found"]
        assert world.state.health().failing_since == START
        world.source.list_trouble = None
        world.add("new")
        await world.turn(seconds=30)
        await world.until_told("new", "running")
        assert world.state.health().failing_since is None


async def test_a_service_without_a_list_answers_all_the_same(store: SqlStore) -> None:
    world = World(store)
    world.source.list_trouble = MissingError("HTTP 404")
    async with world:
        assert world.log.events("warning") == ["the list cannot be read, so no new jobs are found"]
        assert world.state.health().failing_since is None


async def test_a_source_that_rejects_us_is_probed_once_a_minute_though_no_job_is_watched(store: SqlStore) -> None:
    world = World(store)
    world.source.list_trouble = RejectedError("HTTP 401")
    async with world:
        assert world.log.events("error") == ["the source rejects our requests, trying once a minute"]
        assert world.state.health().rejection == "HTTP 401"
        await world.turn(seconds=30)
        assert len(world.source.pages_asked) == 1
        await world.turn(seconds=PROBE_INTERVAL.total_seconds() - 30)
        assert len(world.source.pages_asked) == 2
        assert len(world.log.events("error")) == 1
        world.source.list_trouble = None
        world.add("new")
        await world.turn(seconds=60)
        assert world.state.health().rejection is None
        await world.until_told("new", "running")


async def test_while_the_list_is_being_read_for_known_jobs_no_other_look_begins(store: SqlStore) -> None:
    await store.upsert_jobs([JobSpec(JobKey("openai", "a"))], START)
    world = World(store)
    world.state.scan.is_running = True
    assert world.state.start_discovery() is None
    world.state.scan.is_running = False
    assert world.state.start_discovery() is world.state.discovery
    assert not world.state.is_idle


async def test_a_source_without_rules_has_no_list_looked_at(store: SqlStore) -> None:
    world = World(store)
    world.state.discovery = None
    assert not world.state.is_discovery_due
    assert world.state.start_discovery() is None
    assert world.poller.sources.discovered() == []
