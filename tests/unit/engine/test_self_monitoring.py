"""Each condition is raised once and cleared once, on a real record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tests.doubles import ManualClock, RecordingLog, job_in, observation, runtime
from watcher.domain.conditions import STUCK_AFTER, Health
from watcher.domain.jobs import JobKey, JobSpec
from watcher.domain.messages import message_of
from watcher.domain.routing import Events, Route
from watcher.domain.transitions import detect, moved
from watcher.engine.ports import Change
from watcher.engine.self_monitoring import SelfMonitoring
from watcher.errors import StoreUnavailableError
from watcher.store.sql import SqlStore

JOB = JobKey("openai", "ftjob-1")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as opened:
        yield opened


class World:
    """A supervisor on a real store."""

    def __init__(self, store: SqlStore, clock: ManualClock | None = None, watcher: str = "w1") -> None:
        self.store = store
        self.clock = clock or ManualClock()
        self.log = RecordingLog()
        self.woken = 0
        routes = [Route("chat"), Route("pager"), Route("jobs-only", events=frozenset({Events.JOBS}))]
        self.self_monitoring = SelfMonitoring(
            store,
            runtime(self.clock, self.log),
            routes=routes,
            stuck_after=STUCK_AFTER,
            wake_delivery=self.wake,
            watcher=watcher,
        )

    def wake(self) -> None:
        self.woken += 1

    def failing(self, name: str = "openai", minutes: float = 6) -> Health:
        return Health(name, failing_since=self.clock() - timedelta(minutes=minutes), error="HTTP 503")

    def fine(self, name: str = "openai") -> Health:
        return Health(name, last_success=self.clock())

    async def look(self, sources: Sequence[Health] = (), notifiers: Sequence[Health] = ()) -> None:
        self.clock.move(seconds=10)
        await self.self_monitoring.look(sources, notifiers)

    async def told(self, notifier: str = "chat") -> list[str]:
        deliveries = await self.store.deliveries(notifier=notifier, limit=99)
        return [message_of(delivery.event).type for delivery in reversed(deliveries)]


async def test_a_source_that_falls_silent_is_told_once_and_its_return_once(store: SqlStore) -> None:
    world = World(store)
    for health in (world.fine(), world.failing(), world.failing(), world.fine(), world.fine()):
        await world.look([health])

    assert await world.told() == ["watcher.source.unreachable", "watcher.source.recovered"]
    assert world.woken == 2
    assert await world.told("jobs-only") == []


async def test_a_rejection_is_told_in_the_apis_own_words(store: SqlStore) -> None:
    world = World(store)
    await world.look([Health("openai", rejection="HTTP 401: Incorrect API key")])
    await world.look([world.fine()])

    assert await world.told() == ["watcher.source.rejected", "watcher.source.accepted"]
    first = (await store.deliveries(notifier="chat", limit=99))[-1].event
    assert message_of(first).data["error"] == "HTTP 401: Incorrect API key"


async def test_a_restart_does_not_tell_again(store: SqlStore) -> None:
    world = World(store)
    await world.look([world.failing()])
    heir = World(store, world.clock)
    await heir.look([heir.failing()])
    await heir.look([heir.fine()])

    assert await heir.told() == ["watcher.source.unreachable", "watcher.source.recovered"]


async def test_two_watchers_on_one_record_tell_once(store: SqlStore, tmp_path: Path) -> None:
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as other:
        ours, theirs = World(store), World(other)
        await ours.look([ours.failing()])
        await theirs.look([theirs.failing()])

    assert await ours.told() == ["watcher.source.unreachable"]


async def test_a_failing_notifier_is_told_through_the_others(store: SqlStore) -> None:
    world = World(store)
    await world.look(notifiers=[world.failing("chat"), world.fine("pager")])
    await world.look(notifiers=[world.fine("chat")])

    assert await world.told("pager") == ["watcher.notifier.failing", "watcher.notifier.recovered"]
    assert await world.told("chat") == []


async def test_a_source_that_another_replica_reaches_is_not_told_as_failing(store: SqlStore) -> None:
    ours = World(store)
    theirs = World(store, ours.clock, "w2")
    await theirs.look([theirs.fine()])
    await ours.look([ours.failing()])
    assert await ours.told() == []

    ours.clock.move(minutes=3)  # and the other one is heard of no more
    await ours.look([ours.failing()])
    assert await ours.told() == ["watcher.source.unreachable"]


async def test_a_condition_of_a_replica_that_died_is_cleared_by_the_others(store: SqlStore) -> None:
    dead = World(store)
    await dead.look([dead.failing()])
    alive = World(store, dead.clock, "w2")
    await alive.look([alive.fine()])

    assert await alive.told() == ["watcher.source.unreachable", "watcher.source.recovered"]


async def test_a_clock_that_was_set_makes_no_job_stuck(store: SqlStore) -> None:
    world = World(store)
    await store.upsert_jobs([JobSpec(JOB, "support-bot")], world.clock())
    transition = detect(job_in(None), observation("running", world.clock()))
    assert transition is not None
    await store.record([Change(0, moved(job_in(None), transition), transition)])
    world.clock.move(days=1)
    world.self_monitoring.clock_stepped(timedelta(days=1))
    await world.look()
    assert await world.told() == []

    world.clock.move(hours=24)
    await world.look()
    assert await world.told() == ["watcher.job.stuck"]


async def test_a_stuck_job_is_told_daily(store: SqlStore) -> None:
    world = World(store)
    await store.upsert_jobs([JobSpec(JOB, "support-bot")], world.clock())
    transition = detect(job_in(None), observation("running", world.clock()))
    assert transition is not None
    await store.record([Change(0, moved(job_in(None), transition), transition)])
    for hours in range(75):
        world.clock.at = transition.observed_at + timedelta(hours=hours)
        await world.look()
    deliveries = await store.deliveries(notifier="chat", limit=99)
    titles = [message_of(delivery.event).title for delivery in reversed(deliveries)]

    assert titles == [f"support-bot has been running for at least {days}d" for days in (1, 2, 3)]


async def test_conditions_are_no_jobs(store: SqlStore) -> None:
    world = World(store)
    await world.look([world.failing()], [world.failing("chat")])

    assert await store.jobs() == []


async def test_what_the_store_cannot_take_is_told_later(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(store)

    async def refuse(*_args: object) -> object:
        raise StoreUnavailableError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(store, "record_findings", refuse)
        await world.look([world.failing()])
    assert await world.told() == []
    await world.look([world.failing()])

    assert await world.told() == ["watcher.source.unreachable"]
    assert world.self_monitoring.is_anything_failing()


async def test_what_nobody_wants_to_hear_is_recorded_all_the_same(store: SqlStore) -> None:
    world = World(store)
    silent = SelfMonitoring(
        store,
        runtime(world.clock, world.log),
        routes=[],
        stuck_after=STUCK_AFTER,
        wake_delivery=world.wake,
        watcher="w1",
    )
    await silent.look([world.failing()], [])

    assert world.woken == 0
    assert set(await store.conditions(["source/openai/reach"])) == {"source/openai/reach"}
