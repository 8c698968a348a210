"""The maintenance of the service: what cannot be recorded is sent all the same, and the heartbeat."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.doubles import (
    START,
    FaultyStore,
    ManualClock,
    RecordingLog,
    ScriptedNotifier,
    ScriptedSource,
    observation,
    runtime,
    source_state,
    until,
)
from watcher.domain.conditions import STUCK_AFTER
from watcher.domain.deliveries import SERVICE_RETRY_POLICY
from watcher.domain.jobs import JobKey, JobSpec
from watcher.domain.messages import encode
from watcher.domain.polling_policy import PollingPolicy
from watcher.domain.routing import Route
from watcher.domain.transitions import detect, moved
from watcher.engine.delivery.direct import DirectDelivery
from watcher.engine.delivery.dispatcher import Dispatcher
from watcher.engine.polling.poller import Poller
from watcher.engine.ports import Change
from watcher.engine.self_monitoring import SelfMonitoring
from watcher.errors import StoreError, StoreUnavailableError, TransientError
from watcher.service.bootstrap import Pipeline
from watcher.service.heartbeat import Heartbeat
from watcher.service.maintenance import Maintenance
from watcher.service.systemd import ServiceManager
from watcher.simulator.receiver import Receiver
from watcher.store.living_services import Named
from watcher.store.sql import SqlStore

FAILING = StoreUnavailableError("the disk is full")


class FailingPoller(Poller):
    """A poller whose store is out of reach when the test says so."""

    error: StoreError | None = None
    recoveries = 0

    def store_error(self) -> StoreError | None:
        return self.error

    @property
    def store_recoveries(self) -> int:
        return self.recoveries

    def recover(self) -> None:
        self.error = None
        self.recoveries += 1


class World:
    """A pipeline on a real store, and its maintenance."""

    def __init__(self, store: SqlStore, heartbeat: Heartbeat | None = None) -> None:
        self.store = store
        self.clock = ManualClock()
        self.log = RecordingLog()
        self.notifier = ScriptedNotifier()
        context, routes = runtime(self.clock, self.log), [Route("chat")]
        deliver = Dispatcher(store, {"chat": self.notifier}, SERVICE_RETRY_POLICY, context)
        self.source = ScriptedSource(self.clock, {"a": ["running", TransientError("HTTP 503")]})
        polling_policy = PollingPolicy(timedelta(seconds=30), timedelta(minutes=5))
        self.faults = FaultyStore(store)
        self.poller = FailingPoller(self.faults, context, routes=routes, wake_delivery=deliver.wake)
        self.poller.sources.add(source_state(self.source, polling_policy, self.clock, 4))
        self_monitoring = SelfMonitoring(
            store, context, routes=routes, stuck_after=STUCK_AFTER, wake_delivery=deliver.wake, watcher="w1"
        )
        self.pipeline = Pipeline(
            self.poller,
            deliver,
            self_monitoring,
            emergency=DirectDelivery({"chat": self.notifier}, routes, context),
            heartbeat=heartbeat,
            service="w1",
            configured=[JobSpec(JobKey("openai", "a"))],
            rules=frozenset(),
            sources=["openai"],
            find_job=lambda source, job_id: JobSpec(JobKey(source or "openai", job_id)),
            retention=SERVICE_RETRY_POLICY.give_up_after,
            metrics_retention=timedelta(hours=1),
        )
        self.reloads = 0
        self.maintenance = Maintenance(self.pipeline, store, ServiceManager({}), context, reload=self._reload)

    def _reload(self) -> None:
        self.reloads += 1

    async def live(self, minutes: int) -> None:
        """Leave signs of life for a while."""
        for _ in range(minutes + 1):
            await self.maintenance.report()
            self.clock.move(minutes=1)

    def told(self) -> Sequence[str]:
        return [message.type for message in self.notifier.received]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as opened:
        yield opened


async def test_a_record_that_cannot_be_written_is_told_once_at_each_outage(store: SqlStore) -> None:
    world = World(store)
    for error, seconds in ((FAILING, 0), (FAILING, 29), (None, 1), (FAILING, 0), (FAILING, 30), (FAILING, 60)):
        world.poller.error = error
        world.clock.move(seconds=seconds)
        await world.maintenance.monitor()
    await until(lambda: len(world.told()) == 1)
    for error, seconds in ((None, 1), (FAILING, 1), (FAILING, 30)):
        world.poller.error = error
        world.clock.move(seconds=seconds)
        await asyncio.sleep(0.3)  # the first emergency comes to its end
        await world.maintenance.monitor()
    await until(lambda: len(world.told()) == 2)
    await world.maintenance.close()

    assert world.told() == ["watcher.store.failing"] * 2
    envelope = json.loads(encode(world.notifier.received[0]))
    assert envelope["data"]["error"] == "the disk is full"
    assert not world.maintenance.health.snapshot().is_well


async def test_the_switch_beats_while_all_is_well_and_fails_aloud_while_it_is_not(store: SqlStore) -> None:
    async with Receiver() as receiver, Heartbeat(receiver.url) as heartbeat:
        world = World(store, heartbeat)
        await world.maintenance.beat()
        world.poller.error = FAILING
        await world.maintenance.beat()
        paths = [received.path for received in receiver.received]

    assert paths == ["/hooks/finetune", "/hooks/finetune/fail"]


async def test_a_beat_that_does_not_arrive_is_logged_once(store: SqlStore) -> None:
    async with Heartbeat("http://127.0.0.1:9/") as heartbeat:
        world = World(store, heartbeat)
        await world.maintenance.beat()
        await world.maintenance.beat()

    assert world.log.events("warning") == ["heartbeat did not arrive"]


async def test_without_a_switch_nothing_beats(store: SqlStore) -> None:
    await World(store).maintenance.beat()


async def test_it_says_how_things_stand(store: SqlStore) -> None:
    world = World(store)
    await store.upsert_jobs([JobSpec(JobKey("openai", "a"))], START)
    running = asyncio.create_task(world.poller.run())
    world.poller.wake()
    await until(lambda: world.poller.watched)
    await until(lambda: world.poller.sources.health()[0].last_success)
    assert await world.maintenance.status() == "1 job watched, 0 deliveries pending, last answer 0s ago"
    health = world.maintenance.health.snapshot()
    assert (health.watched, health.stalled, health.rejections, list(health.notifiers)) == (1, [], {}, ["chat"])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_it_says_that_the_store_cannot_be_read(store: SqlStore, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "watcher.db")) as other:
        other.execute("DROP TABLE delivery")
    said = await World(store).maintenance.status()
    assert said.startswith("the store cannot be read: ")


async def test_what_cannot_be_recorded_makes_the_service_unwell_and_is_told(store: SqlStore) -> None:
    """While all else is recorded, and sources and notifiers are looked after."""
    world = World(store)
    await store.upsert_jobs([JobSpec(JobKey("openai", "a"))], START)

    async def breaks(_changes: object) -> None:
        raise ArithmeticError

    world.faults.before_record = breaks
    running = asyncio.create_task(world.poller.run())
    world.poller.wake()
    await until(lambda: world.maintenance.health.snapshot().stuck)
    assert world.maintenance.health.snapshot().store_error is None
    assert not world.maintenance.health.snapshot().is_well
    await world.maintenance.monitor()
    world.clock.move(minutes=5)
    await world.maintenance.monitor()
    await until(world.told)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_outages_that_follow_each_other_are_not_taken_for_one(store: SqlStore) -> None:
    world = World(store)
    for _ in range(4):
        world.poller.error = FAILING
        await world.maintenance.monitor()
        world.poller.recover()
        world.clock.move(seconds=10)
    world.poller.error = FAILING
    await world.maintenance.monitor()
    await asyncio.sleep(0.05)

    assert world.told() == []


async def test_a_configured_job_that_ended_long_ago_stays_known(store: SqlStore) -> None:
    """Forgotten, it would be new to the next start, and told again."""
    world = World(store)
    configured, other = JobKey("openai", "a"), JobKey("openai", "b")
    await store.upsert_jobs([JobSpec(configured), JobSpec(other)], world.clock())
    for key in (configured, other):
        job = await store.job(key)
        assert job is not None
        news = detect(job, observation("succeeded", world.clock(), key))
        assert news is not None
        await store.record([Change(0, moved(job, news), news)])
    for _ in range(8):
        world.clock.move(hours=12)
        await world.maintenance.refresh_configured_jobs()
        await world.maintenance.prune()

    assert [job.key for job in await store.jobs()] == [configured]


async def test_what_a_clock_that_was_set_back_makes_wait_is_due(store: SqlStore) -> None:
    world = World(store)
    await store.upsert_jobs([JobSpec(JobKey("openai", "a"))], world.clock())
    world.clock.move(seconds=-60)
    await world.maintenance.undo_clock_step()
    assert (await store.jobs())[0].due_at == world.clock.at + timedelta(seconds=60)
    await world.maintenance.undo_clock_step(timedelta())
    assert (await store.jobs())[0].due_at == world.clock.at
    world.clock.move(hours=-1)
    await world.maintenance.undo_clock_step()
    assert (await store.jobs())[0].due_at == world.clock.at


async def test_what_a_dead_service_wanted_is_let_go_by_one_that_lived_on(store: SqlStore) -> None:
    """Not by one that comes back itself, from a suspension or an outage of the store: the signs of all are old then."""
    world = World(store)
    dead = JobKey("openai", "b")
    await store.note_settings("w2", "1", Named(jobs=frozenset({dead})), world.clock())
    await store.upsert_jobs([JobSpec(dead)], world.clock(), origin="config")
    await world.maintenance.let_go()
    await world.maintenance.report()
    world.clock.move(hours=1)
    await world.live(8)
    await world.maintenance.let_go()
    assert [job.key for job in await store.jobs()] == [dead]
    await world.live(1)
    world.clock.move(hours=1)
    await world.maintenance.let_go()
    assert [job.key for job in await store.jobs()] == [dead]
    await world.live(11)
    await world.maintenance.let_go()
    assert await store.jobs() == []


async def test_a_service_that_was_away_says_anew_what_it_wants_where_others_may_have_let_it_go(store: SqlStore) -> None:
    world = World(store)
    await world.live(11)
    world.clock.move(hours=1)
    await world.maintenance.report()
    assert world.reloads == 0
    await store.note_settings("w2", "1", Named(frozenset({"nlp"})), world.clock())
    await world.live(11)
    assert world.reloads == 0
    world.clock.move(hours=1)
    await world.maintenance.report()
    assert world.reloads == 1
