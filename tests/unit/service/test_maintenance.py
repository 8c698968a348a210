"""The chores of the service: what cannot be recorded is told all the same, and the switch beats."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tests.doubles import START, ManualClock, RecordingLog, ScriptedNotifier, ScriptedSource, edges, observation, until
from watcher.domain.conditions import STUCK_AFTER
from watcher.domain.deliveries import PATIENT
from watcher.domain.jobs import JobKey, JobSpec
from watcher.domain.messages import encode
from watcher.domain.polling_policy import Rhythm
from watcher.domain.routing import Route
from watcher.domain.transitions import detect, moved
from watcher.engine.delivery.direct import Announce
from watcher.engine.delivery.dispatcher import Deliver
from watcher.engine.polling.poller import Observe
from watcher.engine.polling.source_state import Lane
from watcher.engine.ports import Change
from watcher.engine.self_monitoring import Supervise
from watcher.errors import StoreUnavailableError, TransientError
from watcher.service.bootstrap import Pipeline
from watcher.service.heartbeat import Heartbeat
from watcher.service.maintenance import Upkeep
from watcher.service.systemd import ServiceManager
from watcher.simulator.receiver import Receiver
from watcher.store.sql import SqlStore

FAILING = StoreUnavailableError("the disk is full")


class World:
    """A pipeline on a real store, and its upkeep."""

    def __init__(self, store: SqlStore, heartbeat: Heartbeat | None = None) -> None:
        self.store = store
        self.clock = ManualClock()
        self.log = RecordingLog()
        self.notifier = ScriptedNotifier()
        surroundings, routes = edges(self.clock, self.log), [Route("chat")]
        deliver = Deliver(store, {"chat": self.notifier}, PATIENT, surroundings)
        self.source = ScriptedSource(self.clock, {"a": ["running", TransientError("HTTP 503")]})
        rhythm = Rhythm(timedelta(seconds=30), timedelta(minutes=5))
        self.observe = Observe(store, surroundings, routes=routes, on_owed=deliver.wake)
        self.observe.add_lane(Lane("openai", self.source, rhythm, 4))
        supervise = Supervise(store, surroundings, routes=routes, stuck_after=STUCK_AFTER, on_owed=deliver.wake)
        self.pipeline = Pipeline(
            self.observe,
            deliver,
            supervise,
            emergency=Announce({"chat": self.notifier}, routes, surroundings),
            heartbeat=heartbeat,
            rhythm=rhythm,
            configured=[JobSpec(JobKey("openai", "a"))],
            retention=PATIENT.give_up_after,
        )
        self.upkeep = Upkeep(self.pipeline, store, ServiceManager({}), surroundings)

    def told(self) -> Sequence[str]:
        return [message.type for message in self.notifier.received]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as opened:
        yield opened


async def test_a_record_that_cannot_be_written_is_told_once_at_each_outage(store: SqlStore) -> None:
    world = World(store)
    for error, seconds in ((FAILING, 0), (FAILING, 29), (None, 1), (FAILING, 0), (FAILING, 30), (FAILING, 60)):
        world.observe._record_error = error
        world.clock.move(seconds=seconds)
        await world.upkeep.supervise()
    await until(lambda: len(world.told()) == 1)
    for error, seconds in ((None, 1), (FAILING, 1), (FAILING, 30)):
        world.observe._record_error = error
        world.clock.move(seconds=seconds)
        await asyncio.sleep(0.3)  # the first emergency comes to its end
        await world.upkeep.supervise()
    await until(lambda: len(world.told()) == 2)
    await world.upkeep.close()

    assert world.told() == ["watcher.store.failing"] * 2
    envelope = json.loads(encode(world.notifier.received[0]))
    assert envelope["data"]["error"] == "the disk is full"
    assert not world.upkeep.is_well()


async def test_the_switch_beats_while_all_is_well_and_fails_aloud_while_it_is_not(store: SqlStore) -> None:
    async with Receiver() as receiver, Heartbeat(receiver.url) as heartbeat:
        world = World(store, heartbeat)
        await world.upkeep.beat()
        world.observe._record_error = FAILING
        await world.upkeep.beat()
        paths = [received.path for received in receiver.received]

    assert paths == ["/hooks/finetune", "/hooks/finetune/fail"]


async def test_a_beat_that_does_not_arrive_is_logged_once(store: SqlStore) -> None:
    async with Heartbeat("http://127.0.0.1:9/") as heartbeat:
        world = World(store, heartbeat)
        await world.upkeep.beat()
        await world.upkeep.beat()

    assert world.log.events("warning") == ["heartbeat did not arrive"]


async def test_without_a_switch_nothing_beats(store: SqlStore) -> None:
    await World(store).upkeep.beat()


async def test_it_says_how_things_stand(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(store)
    await store.upsert_jobs([JobSpec(JobKey("openai", "a"))], START)
    running = asyncio.create_task(world.observe.run())
    world.observe.wake()
    await until(lambda: world.observe.watched)
    await until(lambda: world.observe.last_answers()["openai"])
    assert await world.upkeep.status() == "1 jobs watched, 0 deliveries pending, last answer 0s ago"
    standing = world.upkeep.standing()
    assert (standing.watched, standing.stalled, standing.rejections, list(standing.notifiers)) == (1, [], {}, ["chat"])

    async def refuse() -> object:
        raise FAILING

    monkeypatch.setattr(store, "pending_deliveries", refuse)
    assert await world.upkeep.status() == "the record cannot be read: the disk is full"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_outages_that_follow_each_other_are_not_taken_for_one(store: SqlStore) -> None:
    world = World(store)
    for _ in range(4):
        world.observe._record_error = FAILING
        await world.upkeep.supervise()
        world.observe._note_record(None)
        world.clock.move(seconds=10)
    world.observe._record_error = FAILING
    await world.upkeep.supervise()
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
        await world.upkeep.reassert()
        await world.upkeep.prune()

    assert [job.key for job in await store.jobs()] == [configured]


async def test_what_a_clock_that_was_set_back_makes_wait_is_due(store: SqlStore) -> None:
    world = World(store)
    await store.upsert_jobs([JobSpec(JobKey("openai", "a"))], world.clock())
    world.clock.move(seconds=-60)
    await world.upkeep.settle_in()
    assert (await store.jobs())[0].due_at == world.clock.at + timedelta(seconds=60)
    await world.upkeep.settle_in(timedelta())
    assert (await store.jobs())[0].due_at == world.clock.at
    world.clock.move(hours=-1)
    await world.upkeep.settle_in()
    assert (await store.jobs())[0].due_at == world.clock.at
