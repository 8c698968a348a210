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
from watcher.store.sql import Selection, SqlStore

JOB = JobKey("openai", "ftjob-1")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as opened:
        yield opened


class World:
    """A supervisor on a real store."""

    def __init__(self, store: SqlStore, clock: ManualClock | None = None) -> None:
        self.store = store
        self.clock = clock or ManualClock()
        self.log = RecordingLog()
        self.woken = 0
        routes = [Route("chat"), Route("pager"), Route("jobs-only", events=frozenset({Events.JOBS}))]
        self.self_monitoring = SelfMonitoring(
            store, runtime(self.clock, self.log), routes=routes, stuck_after=STUCK_AFTER, wake_delivery=self._wake
        )

    def _wake(self) -> None:
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
        return [message_of(delivery.transition).type for delivery in reversed(deliveries)]


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
    first = (await store.deliveries(notifier="chat", limit=99))[-1].transition
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


async def test_each_time_a_job_goes_missing_is_told(store: SqlStore) -> None:
    world = World(store)
    for _ in range(2):
        world.self_monitoring.note_missing(job_in(None, last_error="HTTP 404"))
        await world.look()
        await world.look()

    assert await world.told() == ["watcher.job.missing"] * 2


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
    titles = [message_of(delivery.transition).title for delivery in reversed(deliveries)]

    assert titles == [f"support-bot has been running for {days}d" for days in (1, 2, 3)]


async def test_conditions_are_no_jobs(store: SqlStore) -> None:
    world = World(store)
    await world.look([world.failing()], [world.failing("chat")])

    assert await store.jobs() == []


async def test_what_the_record_cannot_take_is_told_later(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(store)

    async def refuse(*_args: object) -> object:
        raise StoreUnavailableError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(store, "record", refuse)
        world.self_monitoring.note_missing(job_in(None))
        await world.look([world.failing()])
    assert await world.told() == []
    await world.look([world.failing()])

    assert await world.told() == ["watcher.source.unreachable", "watcher.job.missing"]
    assert world.self_monitoring.is_anything_wrong()


async def test_old_conditions_of_jobs_are_pruned(store: SqlStore) -> None:
    world = World(store)
    world.self_monitoring.note_missing(job_in(None))
    await world.look()
    await store.discard(Selection(), world.clock())
    world.clock.move(days=100)

    assert await store.prune(world.clock() - timedelta(days=90)) > 0
    assert await store.history(JobKey("@watcher", f"job/{JOB}/missing")) == []


async def test_when_another_watcher_is_first_nothing_is_told_twice(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(store)

    async def late(changes: Sequence[Change]) -> set[JobKey]:
        return {change.job.key for change in changes}

    monkeypatch.setattr(store, "record", late)
    await world.look([world.failing()])

    assert (world.woken, await world.told()) == (0, [])


async def test_what_nobody_wants_to_hear_is_recorded_all_the_same(store: SqlStore) -> None:
    world = World(store)
    silent = SelfMonitoring(
        store, runtime(world.clock, world.log), routes=[], stuck_after=STUCK_AFTER, wake_delivery=world._wake
    )
    await silent.look([world.failing()], [])

    assert world.woken == 0
    assert len(await store.history(JobKey("@watcher", "source/openai/reach"))) == 1
