"""Webhooks make jobs due, have new ones looked for, and spare polls where they have proven to arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.doubles import ManualClock, RecordingLog, ScriptedSource, polling, runtime, source_state, until
from tests.recorded import history
from watcher.domain.discovery import watch_all
from watcher.domain.jobs import JobKey, JobSpec, ListedJob, Observation
from watcher.domain.polling_policy import TELLS_IN_A_ROW, PollingPolicy
from watcher.domain.states import OPENAI_STATES
from watcher.engine.polling.discovery import Discovery, SourceRules
from watcher.engine.polling.poller import Poller
from watcher.plugins.source import Webhook
from watcher.store.sql import SqlStore

INTERVAL = timedelta(seconds=30)


class Telling(ScriptedSource):
    """A source whose service sends webhooks; an answer can be held back."""

    def read_webhook(self, _headers: object, _body: bytes) -> Webhook:
        return Webhook("wh_1")

    gate: asyncio.Event | None = None

    async def retrieve(self, job_id: str, known: str | None = None) -> Observation | None:
        answer = await super().retrieve(job_id, known)
        if self.gate:
            await self.gate.wait()
        return answer


class World:
    """A poller of such a source."""

    def __init__(self, store: SqlStore, **script: Sequence[str]) -> None:
        self.clock, self.log, self.store = ManualClock(), RecordingLog(), store
        self.source = Telling(self.clock, script)
        self.runtime = runtime(self.clock, self.log)
        self.poller = Poller(store, self.runtime, routes=[], wake_delivery=lambda: None)
        self.state = source_state(self.source, PollingPolicy(INTERVAL, timedelta(minutes=5)), self.clock)
        self.poller.sources.add(self.state)

    @asynccontextmanager
    async def running(self, *ids: str) -> AsyncIterator[None]:
        await self.store.upsert_jobs([JobSpec(JobKey("openai", job_id)) for job_id in ids], self.clock())
        async with polling(self.poller):
            self.poller.wake()
            for job_id in ids:
                await self.until_told(job_id, "running")
            yield

    async def until_told(self, job_id: str, *statuses: str) -> None:
        """Let the poller go on until these are the statuses that are recorded of a job."""
        async with asyncio.timeout(5):
            while await self.statuses(job_id) != list(statuses):
                await asyncio.sleep(0.001)

    async def linger(self) -> None:
        """Let happen what should not."""
        await asyncio.sleep(0.03)

    async def tell(self, job_id: str | None) -> None:
        await self.poller.wake_ups.take("openai", Webhook("wh_1", job_id))

    async def until_waiting(self, job_id: str, least: timedelta) -> None:
        """Let the poller go on until a job is due no sooner than after so long."""
        async with asyncio.timeout(5):
            while (await self._due_at(job_id)) - self.clock() <= least:
                await asyncio.sleep(0.001)

    async def _due_at(self, job_id: str) -> datetime:
        job = await self.store.job(JobKey("openai", job_id))
        assert job is not None
        assert job.due_at is not None
        return job.due_at

    async def statuses(self, job_id: str) -> list[str]:
        return [transition.status for transition in await history(self.store, JobKey("openai", job_id))]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as opened:
        yield opened


async def test_a_webhook_has_its_job_asked_for_at_once(store: SqlStore) -> None:
    """It says nothing of the status itself: that comes from the service."""
    world = World(store, a=["running", "failed"])
    async with world.running("a"):
        await world.tell("a")
        await world.until_told("a", "running", "failed")
    assert world.poller.wake_ups.reader("openai") == world.source.read_webhook
    assert world.poller.wake_ups.reader("azure") is None


async def test_one_that_comes_while_its_job_is_asked_for_has_it_asked_for_again(store: SqlStore) -> None:
    world = World(store, a=["running", "running", "succeeded"])
    async with world.running("a"):
        world.source.gate = asyncio.Event()
        world.clock.move(seconds=30)
        world.poller.wake()
        await until(lambda: len(world.source.asked) == 2)
        await world.tell("a")
        world.source.gate.set()
        await world.until_told("a", "running", "succeeded")
    assert len(world.source.asked) == 3


async def test_one_of_a_job_that_is_not_watched_has_new_jobs_looked_for(store: SqlStore) -> None:
    world = World(store)
    rules = SourceRules((watch_all("openai"),), OPENAI_STATES, timedelta(hours=1))
    world.state.discovery = Discovery(world.source, rules, store=store, runtime=world.runtime)
    async with world.running():
        await until(lambda: world.state.discovery and world.state.discovery.health()[0].scanned_at)
        world.source.script["new"] = ["succeeded"]
        world.source.listed.insert(0, "new")
        world.clock.move(seconds=6)
        world.source.described["new"] = ListedJob("succeeded", world.clock())
        await world.tell("new")
        await world.until_told("new", "succeeded")
        pages = len(world.source.pages_asked)
        await world.tell("another")
        await world.linger()
        assert len(world.source.pages_asked) == pages  # not at once: it was looked just now
        world.clock.move(seconds=6)
        world.poller.wake()
        await until(lambda: len(world.source.pages_asked) > pages)


async def test_one_that_is_about_nothing_here_changes_nothing(store: SqlStore) -> None:
    world = World(store, a=["running"])
    async with world.running("a"):
        await world.tell(None)
        await world.tell("stranger")
        await world.linger()
    assert world.source.asked == ["a"]


async def test_polls_are_seldom_once_webhooks_have_told_of_ends_and_as_before_when_one_is_lost(store: SqlStore) -> None:
    told = [f"told-{number}" for number in range(TELLS_IN_A_ROW)]
    script = {job_id: ["running", "succeeded"] for job_id in told}
    world = World(store, **script, lost=["running", "running", "succeeded"], long=["running"])
    async with world.running(*script, "lost", "long"):
        assert not world.state.policy.hears_ends
        for job_id in told:
            await world.tell(job_id)
            await world.until_told(job_id, "running", "succeeded")
        world.clock.move(seconds=30)
        world.poller.wake()
        await world.until_waiting("long", timedelta(minutes=4))
        assert world.state.policy.hears_ends
        world.clock.move(minutes=5)
        world.poller.wake()
        await world.until_told("lost", "running", "succeeded")
        world.poller.wake()
        await until(lambda: not world.state.policy.hears_ends)


def test_only_so_many_jobs_are_remembered_that_others_poll(store: SqlStore) -> None:
    world = World(store)
    for number in range(3):
        world.state.note_told(JobKey("openai", str(number)), most=2)
    world.state.note_end(JobKey("openai", "0"), world.clock())
    assert world.state.proof.in_a_row == 0
    world.state.note_end(JobKey("openai", "2"), world.clock())
    assert world.state.proof.in_a_row == 1
