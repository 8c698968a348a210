"""Polling what is due, and recording what it says: on a real SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from typing import Any, cast

import pytest

from tests.doubles import (
    FaultyStore,
    ManualClock,
    RecordingLog,
    ScriptedSource,
    polling,
    runtime,
    source_state,
    transition_of,
    until,
)
from tests.recorded import history
from watcher.domain.jobs import Job, JobKey, JobSpec
from watcher.domain.polling_policy import PollingPolicy
from watcher.domain.routing import FirstSeen, Route
from watcher.domain.states import JobState
from watcher.domain.telemetry import Milestone
from watcher.domain.transitions import Reason
from watcher.engine.polling.poller import Poller
from watcher.engine.polling.rate_limit import RateLimit
from watcher.engine.ports import Change
from watcher.errors import MissingError, RejectedError, StoreUnavailableError, TransientError
from watcher.store.sql import SqlStore

INTERVAL = timedelta(seconds=30)
BUSY = TransientError("HTTP 503: overloaded", request_id="req_7")
REFUSED = RejectedError("HTTP 401: bad key")
UNKNOWN = MissingError("HTTP 404: no such job")
ROUTES = (Route("chat"), Route("all", first_seen=FirstSeen.ALWAYS))


async def refuse(_changes: object) -> None:
    raise StoreUnavailableError("the disk is full")


class World:
    """An observing pipeline between a scripted source and a real store."""

    def __init__(
        self,
        store: SqlStore,
        script: Mapping[str, Sequence[str | Exception]],
        concurrency: int = 8,
        patience: Mapping[str, Any] | None = None,
        retry_seconds: float = 0.01,
        routes: Sequence[Route] = ROUTES,
        **how: Any,
    ) -> None:
        self.clock = ManualClock()
        self.log = RecordingLog()
        self.store = store
        self.source = ScriptedSource(self.clock, script)
        self.recipients = 0
        self.faults = FaultyStore(store)
        self.poller = Poller(
            self.faults,
            runtime(self.clock, self.log, retry_seconds),
            routes=routes,
            wake_delivery=self._count,
            **(patience or {}),
        )
        self.state = source_state(
            self.source, PollingPolicy(INTERVAL, timedelta(minutes=5)), self.clock, concurrency, **how
        )
        self.poller.sources.add(self.state)

    def _count(self) -> None:
        self.recipients += 1

    async def watch(self, *ids: str) -> None:
        await self.store.upsert_jobs([JobSpec(JobKey("openai", job_id)) for job_id in ids], self.clock())

    async def round(self, polls: int, **duration: float) -> None:
        """Move the clock, and let so many polls come to their end."""
        self.clock.move(**duration)
        wanted = len(self.source.asked) + polls
        self.poller.wake()
        await until(lambda: len(self.source.asked) >= wanted)
        await asyncio.sleep(0.02)
        assert len(self.source.asked) == wanted

    async def job(self, job_id: str = "a") -> Job:
        job = await self.store.job(JobKey("openai", job_id))
        assert job is not None
        return job

    async def until_recorded(self, job_id: str, status: str) -> None:
        """Wait until the job's last recorded status is this one: a change that was refused with others comes later."""
        async with asyncio.timeout(5):
            while (await self.job(job_id)).status != status:
                await asyncio.sleep(0.001)

    async def statuses(self, job_id: str = "a") -> list[str]:
        return [transition.status for transition in await history(self.store, JobKey("openai", job_id))]

    def running(self) -> AbstractAsyncContextManager[None]:
        return polling(self.poller)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as opened:
        yield opened


async def test_what_the_object_says_of_when_a_status_began_is_recorded(store: SqlStore) -> None:
    world = World(store, {"a": ["queued", "running", "running"]}, patience={"metrics": store})
    began = world.clock() + timedelta(seconds=12)
    world.source.milestones_of["a"] = (Milestone(JobState.RUNNING, began),)
    await world.watch("a")
    async with world.running():
        await world.round(1, seconds=0)
        await world.round(1, seconds=30)
        await world.until_recorded("a", "running")
        await world.round(1, seconds=30)
    told = await history(store, JobKey("openai", "a"))
    assert [transition.happened_at for transition in told] == [None, began]


async def test_an_event_goes_to_those_who_want_the_labels_that_it_carries(store: SqlStore) -> None:
    routes = [Route(team, labels={"team": team}, first_seen=FirstSeen.ALWAYS) for team in "ab"]
    world = World(store, {"a": ["queued", "running", "failed"]}, routes=routes)
    teams = cycle("ab")

    async def relabel(*_: object) -> None:
        await store.upsert_jobs([JobSpec(JobKey("openai", "a"), labels={"team": next(teams)})], world.clock())

    await relabel()
    world.faults.before_record = relabel
    async with world.running():
        for status in ("queued", "running", "failed"):
            await world.round(1, seconds=30)
            await world.until_recorded("a", status)

    told = [(delivery.notifier, transition_of(delivery)) for delivery in await store.deliveries(limit=99)]
    assert sorted(transition.status for _, transition in told) == ["failed", "queued", "running"]
    assert {notifier for notifier, _ in told} == {"a", "b"}
    assert all(transition.labels == {"team": notifier} for notifier, transition in told)


async def test_a_life_is_recorded_and_owed(store: SqlStore) -> None:
    world = World(store, {"a": ["queued", "running", "running", "succeeded"]})
    await world.watch("a")
    async with world.running():
        for _ in range(4):
            await world.round(1, seconds=30)
        await world.round(0, seconds=300)

    assert await world.statuses() == ["queued", "running", "succeeded"]
    assert (await world.job()).due_at is None
    recipients = sorted((d.notifier, transition_of(d).status) for d in await store.deliveries(limit=99))
    assert recipients == [
        ("all", "queued"),
        ("all", "running"),
        ("all", "succeeded"),
        ("chat", "running"),
        ("chat", "succeeded"),
    ]
    assert world.recipients == 3
    assert world.source.forgotten == ["a"]


async def test_what_was_observed_is_recorded_before_the_end(store: SqlStore) -> None:
    world = World(store, {"a": ["succeeded"]})
    await world.watch("a")
    async with world.running():
        world.poller.wake()
        await until(lambda: world.source.asked)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert await world.statuses() == ["succeeded"]


async def test_a_poll_that_finds_nothing_new_writes_nothing_by_itself(store: SqlStore) -> None:
    world = World(store, {name: ["running"] for name in "abcdefgh"})
    await world.watch(*"abcdefgh")
    async with world.running():
        await world.round(8, seconds=30)
        first = len(world.faults.recorded)
        await world.round(8, seconds=30)
        await world.round(8, seconds=30)

    assert first == 8
    assert len(world.faults.recorded) == 8


async def test_failures_move_the_next_poll_out_and_an_answer_brings_it_back(store: SqlStore) -> None:
    world = World(store, {"a": ["running", BUSY, BUSY, "running"]})
    await world.watch("a")
    async with world.running():
        await world.round(1)
        await world.round(1, seconds=30)
        job = await world.job()
        assert (job.failures, job.last_error) == (1, "HTTP 503: overloaded")
        health = world.poller.sources.health()[0]
        assert (health.failing_since, health.error) == (world.clock(), "HTTP 503: overloaded")
        await world.round(0, seconds=56)
        await world.round(1, seconds=4)
        assert (await world.job()).failures == 2
        await world.round(1, seconds=120)
        assert world.poller.watched == 1

    job = await world.job()  # what was observed is recorded by now
    assert (job.failures, job.last_error, job.due_at) == (0, None, world.clock() + INTERVAL)
    assert [each.last_success for each in world.poller.sources.health()] == [world.clock()]
    assert world.poller.store_error() is None
    assert world.log.events("warning") == ["poll failed"]
    assert [facts["request_id"] for _, event, facts in world.log.lines if event == "poll failed"] == ["req_7", "req_7"]


async def test_a_missing_job_is_reported_at_the_fourth_404_and_polled_on(store: SqlStore) -> None:
    world = World(store, {"a": [UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, "running"]})
    await world.watch("a")
    async with world.running():
        await world.round(1)
        for _ in range(2):
            await world.round(1, seconds=5)
        assert world.log.events("error") == []
        await world.round(1, seconds=5)
        assert world.log.events("error") == ["job is unknown to its source"]
        await world.round(1, seconds=300)

    assert await world.statuses() == ["running"]


async def test_a_rejecting_source_is_probed_once_a_minute_by_one_job(store: SqlStore) -> None:
    world = World(store, {"a": [REFUSED], "b": [REFUSED], "c": [REFUSED]}, concurrency=3)
    await world.watch("a", "b", "c")
    async with world.running():
        await world.round(3)
        await world.round(0, seconds=31)
        await world.round(1, seconds=30)
        await world.round(0, seconds=30)
        world.source.script = {name: ["running"] for name in "abc"}
        await world.round(3, seconds=31)

    assert world.log.events("error") == ["the source rejects our requests, trying once a minute"]
    accepted = [facts for _, event, facts in world.log.lines if event == "the source accepts requests again"]
    assert accepted == [{"source": "openai"}]
    assert (await world.job("a")).last_error is None


async def test_more_jobs_than_there_is_room_for_are_all_polled(store: SqlStore) -> None:
    names = [f"ftjob-{n}" for n in range(50)]
    world = World(store, {name: ["running"] for name in names}, concurrency=4)
    await world.watch(*names)
    async with world.running():
        world.poller.wake()
        await until(lambda: len(world.source.asked) == 50)

    assert sorted(world.source.asked) == sorted(names)


async def test_jobs_that_bring_news_again_and_again_are_not_all_asked_at_once(store: SqlStore) -> None:
    ids = [f"job-{number}" for number in range(24)]
    world = World(
        store, {job_id: ["queued", "running", "paused", "queued", "running"] for job_id in ids}, concurrency=50
    )
    await world.watch(*ids)
    async with world.running():
        for _ in range(4):
            await world.round(len(ids), seconds=30)
        before = len(world.source.asked)
        world.clock.move(seconds=30)
        world.poller.wake()
        await until(lambda: len(world.source.asked) > before)
        assert len(world.source.asked) - before < len(ids)
        await until(lambda: len(world.source.asked) - before == len(ids))
        for job_id in ids:
            await world.until_recorded(job_id, "running")


async def test_a_reopened_job_is_seen_when_somebody_asks_again(store: SqlStore) -> None:
    world = World(store, {"a": ["failed", "failed", "running"]})
    await world.watch("a")
    async with world.running():
        await world.round(1)
        await world.round(0, seconds=3600)
        for _ in range(2):
            await store.upsert_jobs([JobSpec(JobKey("openai", "a"))], world.clock(), ask_again=True)
            await world.round(1)

    recorded = await history(store, JobKey("openai", "a"))
    assert [transition.reason for transition in recorded] == [Reason.FIRST_SEEN, Reason.REOPENED]


async def test_two_watchers_record_a_transition_once(store: SqlStore, tmp_path: Path) -> None:
    """Both see the change, one records it, the other drops its observation."""
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as other:
        ours, theirs = World(store, {"a": ["queued", "running"]}), World(other, {"a": ["queued", "running"]})
        await ours.watch("a")
        async with ours.running(), theirs.running():
            await ours.round(1)
            theirs.clock.at = ours.clock.at
            await theirs.round(1, seconds=30)
            await ours.round(1, seconds=61)

    assert await ours.statuses() == ["queued", "running"]


async def test_while_the_record_is_out_of_reach_polling_goes_on_and_catches_up(store: SqlStore) -> None:
    """Even a status that came and went meanwhile is recorded, and owed, in order."""
    world = World(store, {"a": ["queued", "running", "paused", "succeeded"], "b": [BUSY]})
    await world.watch("a")
    broken: set[str] = set()

    async def claim() -> None:
        if "claim" in broken:
            raise StoreUnavailableError("the disk is full")

    async def write(_changes: object) -> None:
        if "write" in broken:
            raise StoreUnavailableError("the disk is full")

    world.faults.before_claim, world.faults.before_record = claim, write
    async with world.running():
        await world.round(1)
        await world.watch("b")
        await world.round(1)  # it fails, and waits for longer than the other one
        broken |= {"claim", "write"}
        await world.round(1, seconds=30)
        await world.round(2, seconds=30)
        assert await world.statuses() == ["queued"]
        assert str(world.poller.store_error()) == "the disk is full"
        assert world.poller.store_recoveries == 0
        broken.remove("claim")
        await world.round(2, seconds=30)  # the store does not know yet that the failing job should wait
        assert world.poller.store_recoveries == 1
        broken.clear()
        await until(lambda: world.log.events("info").count("transition") == 4)

    assert await world.statuses() == ["queued", "running", "paused", "succeeded"]
    assert world.log.events("error") == [
        "the store cannot be read, polling goes on from memory",
        "the store cannot be written, keeping what it lacks",
    ]


async def test_a_removed_job_is_polled_no_more_and_forgotten(store: SqlStore) -> None:
    world = World(store, {"a": ["running"]})
    await world.watch("a")
    async with world.running():
        await world.round(1)
        await store.remove_job(JobKey("openai", "a"), world.clock())
        await world.round(0, seconds=3600)
        world.poller.forget_stale()

    assert world.source.forgotten == ["a"]


async def test_an_observation_that_comes_too_late_is_dropped_and_the_job_read_anew(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(store, {"a": ["queued", "running"]})
    await world.watch("a")
    retrieve = world.source.retrieve

    async def overtaken(job_id: str, known: str | None = None) -> object:
        result = await retrieve(job_id, known)
        with sqlite3.connect(tmp_path / "watcher.db") as raw:
            raw.execute("UPDATE job SET seq = seq + 1000")
        raw.close()
        return result

    async with world.running():
        await world.round(1)
        with monkeypatch.context() as patched:
            patched.setattr(world.source, "retrieve", overtaken)
            await world.round(1, seconds=30)
        assert await world.statuses() == ["queued"]
        await world.round(1, seconds=30)

    assert await world.statuses() == ["queued", "running"]
    assert "stale update dropped: another watcher recorded it first, or the job is watched no more" in world.log.events(
        "info"
    )


async def test_a_job_whose_change_waits_is_not_forgotten(store: SqlStore) -> None:
    """It ended while the store was out of reach, and the hourly tidying came by."""
    world = World(store, {"a": ["running", "succeeded"]})
    await world.watch("a")
    async with world.running():
        await world.round(1)
        world.faults.before_record = refuse
        await world.round(1, seconds=30)
        world.poller.forget_stale()
        world.clock.move(seconds=60)
        world.poller.wake()
        await asyncio.sleep(0.02)
        world.faults.before_record = None
        await until(lambda: world.log.events("info").count("transition") == 2)

    assert await world.statuses() == ["running", "succeeded"]


async def test_it_says_how_a_source_is_polled(store: SqlStore) -> None:
    world = World(store, {})
    assert world.poller.sources.policy_of("openai") == world.state.policy
    assert world.poller.sources.policy_of("elsewhere") is None
    assert [world.poller.sources.budget_of(source) for source in ("openai", "elsewhere")] == [None, None]
    world.state.rate_limit = RateLimit(600)
    assert world.poller.sources.budget_of("openai") == 600
    await world.state.requests.turn()
    assert [world.poller.sources.requests_of(source) for source in ("openai", "elsewhere")] == [1, None]


async def test_what_cannot_be_recorded_is_kept_with_all_that_follows_and_told_of(store: SqlStore) -> None:
    world = World(store, {"a": ["running", BUSY, BUSY, "succeeded"], "b": ["queued"]})
    await world.watch("a", "b")

    async def poisoned(changes: Sequence[Change]) -> None:
        if any(change.job.key.id == "a" for change in changes):
            raise ValueError

    world.faults.before_record = poisoned
    async with world.running():
        await world.round(2)
        await world.until_recorded("b", "queued")
        for _ in range(3):
            await world.round(2, seconds=400)
        assert "openai/a (ValueError)" in str(world.poller.stuck())
        assert world.poller.store_error() is None
        assert await world.statuses("a") == []
        world.faults.before_record = None
        await until(lambda: world.poller.stuck() is None)

    assert await world.statuses("a") == ["running", "succeeded"]
    assert world.log.events("exception") == ["item cannot be recorded, kept and tried again"]


async def test_failures_do_not_pile_up_while_nothing_can_be_recorded(store: SqlStore) -> None:
    world = World(store, {"a": ["running", BUSY]}, retry_seconds=60)
    await world.watch("a")
    async with world.running():
        await world.round(1)
        world.faults.before_record = refuse
        for _ in range(4):
            await world.round(1, seconds=400)
        before = len(world.faults.recorded)
        world.faults.before_record = None

    assert len(world.faults.recorded) == before + 1
    assert (await world.job()).failures == 4


async def test_a_store_that_breaks_does_not_end_the_watching(store: SqlStore) -> None:
    world = World(store, {"a": ["running"]})
    await world.watch("a")

    async def broken() -> None:
        raise ZeroDivisionError

    async with world.running():
        world.faults.before_claim = broken
        await world.round(0)
        world.faults.before_claim = None
        await world.round(1)

    assert world.log.events("exception") == ["cannot look for due jobs: internal error"]


async def test_a_source_that_asks_for_quiet_is_left_alone_by_every_job(store: SqlStore) -> None:
    slow_down = TransientError("HTTP 429", retry_after=timedelta(seconds=60))
    world = World(store, {"a": [slow_down, "running"], "b": ["running"]})
    await world.watch("a", "b")
    async with world.running():
        await world.round(2)
        await world.round(0, seconds=59)
        await world.round(2, seconds=2)


async def test_a_404_proves_that_the_key_is_accepted(store: SqlStore) -> None:
    world = World(store, {"a": [REFUSED, UNKNOWN]})
    await world.watch("a")
    async with world.running():
        await world.round(1)
        await world.round(1, seconds=61)

    assert "the source accepts requests again" in world.log.events("info")


async def test_a_probe_that_fails_otherwise_lets_no_other_poll_pass(store: SqlStore) -> None:
    world = World(store, {"a": [REFUSED, BUSY], "b": [REFUSED, BUSY], "c": [REFUSED, BUSY]}, concurrency=3)
    await world.watch("a", "b", "c")
    async with world.running():
        await world.round(3)
        await world.round(1, seconds=61)
        await world.round(0, seconds=31)
        await world.round(1, seconds=30)


async def test_a_store_that_does_not_answer_does_not_hold_up_polling(store: SqlStore) -> None:
    """It is not waited for; what it claimed for us is polled when it answers."""
    world = World(store, {"a": ["running"], "b": ["running"]}, patience={"store_patience": timedelta(seconds=0.01)})
    await world.watch("a")
    answer = asyncio.Event()

    async def slow() -> None:
        await answer.wait()

    async with world.running():
        await world.round(1)
        await world.watch("b")
        world.faults.before_claim = slow
        await world.round(1, seconds=30)
        assert "the store cannot be read, polling goes on from memory" in world.log.events("error")
        answer.set()
        await until(lambda: "the store can be read again" in world.log.events("info"))
        await until(lambda: "b" in world.source.asked)


async def test_nothing_is_waited_for_at_the_end(store: SqlStore) -> None:
    world = World(store, {"a": ["running"]}, patience={"store_patience": timedelta(seconds=0.01)})

    async def silent() -> None:
        await asyncio.Event().wait()

    world.faults.before_claim = silent
    async with world.running():
        world.poller.wake()
        await until(lambda: world.log.events("error"))


async def test_a_late_answer_of_the_store_is_polled_when_its_source_may_be_asked(store: SqlStore) -> None:
    """The store was asked for jobs of a source that is not to be asked any more when it answers."""
    world = World(store, {"a": ["running"]}, patience={"store_patience": timedelta(seconds=0.01)})
    other = ScriptedSource(world.clock, {"b": ["queued"]})
    azure = source_state(other, PollingPolicy(INTERVAL, INTERVAL), world.clock, name="azure")
    world.poller.sources.add(azure)
    await world.store.upsert_jobs([JobSpec(JobKey("azure", "b"))], world.clock())
    answer = asyncio.Event()

    async def slow() -> None:
        await answer.wait()

    world.faults.before_claim = slow
    async with world.running():
        world.poller.wake()
        await until(world.poller.store_error)
        azure.breaker.pause(timedelta(seconds=60))
        answer.set()
        await until(lambda: "the store can be read again" in world.log.events("info"))
        assert other.asked == []
        world.clock.move(seconds=61)
        world.poller.wake()
        await until(lambda: other.asked == ["b"])


async def test_an_answer_that_cannot_be_reckoned_with_is_a_failed_poll_and_no_more(store: SqlStore) -> None:
    world = World(store, {"a": ["running", "running"], "b": ["queued", "running"]})
    await world.watch("a", "b")
    world.state.usual_stays = cast("Mapping[str, timedelta]", {"running": "soon"})
    async with world.running():
        await world.round(2)
        await until(lambda: world.log.events("exception"))

    assert await world.statuses("b") == ["queued"]
    assert (await world.job("a")).last_error == "internal error: TypeError"
    assert set(world.log.events("exception")) == {"poll failed with an internal error"}


async def test_what_was_measured_by_the_clock_stays_right_when_it_is_set(store: SqlStore) -> None:
    world = World(store, {"a": ["running", BUSY]})
    await world.watch("a")
    async with world.running():
        await world.round(1)
        await world.round(1, seconds=30)
    before, step = world.poller.sources.health()[0], timedelta(days=1)
    world.poller.sources.clock_stepped(step)
    after = world.poller.sources.health()[0]

    assert before.failing_since is not None
    assert before.last_success is not None
    assert after.failing_since == before.failing_since + step
    assert after.last_success == before.last_success + step
    World(store, {}).poller.sources.clock_stepped(step)


def test_without_a_source_the_intervals_are_the_usual_ones(store: SqlStore) -> None:
    poller = Poller(store, runtime(ManualClock()), routes=[], wake_delivery=lambda: None)

    assert poller.sources.shortest_interval == poller.sources.longest_poll_interval == timedelta(seconds=30)
    world = World(store, {})
    assert (world.poller.sources.shortest_interval, world.poller.sources.longest_poll_interval) == (
        INTERVAL,
        timedelta(minutes=3),
    )


async def test_nothing_is_claimed_while_somebody_else_holds_the_claiming(store: SqlStore) -> None:
    world = World(store, {"a": ["running"]})
    await world.watch("a")
    async with world.running():
        async with world.poller.claiming:
            await world.round(0)
        await until(lambda: world.source.asked == ["a"])
