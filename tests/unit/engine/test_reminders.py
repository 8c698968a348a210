"""Conditions that last are told again, or elsewhere, once per period over crashes and replicas, on a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.doubles import KEY, START, ManualClock, RecordingLog, job_in, observation, runtime
from tests.store_files import copy_of, store_file
from watcher.domain.anomalies import Anomaly
from watcher.domain.conditions import Condition, ConditionChange, Health, missing_condition, training_condition
from watcher.domain.deliveries import Delivered, after_attempt
from watcher.domain.holding import Holding, QuietHours
from watcher.domain.jobs import JobSpec
from watcher.domain.messages import message_of
from watcher.domain.notifications import plan
from watcher.domain.polling_policy import PollFailure, PollOutcome, after_answer, after_failure
from watcher.domain.routing import USUAL_EVENTS, Events, Route
from watcher.domain.silences import Silence
from watcher.domain.transitions import detect, moved
from watcher.engine.ports import Change, Finding
from watcher.engine.self_monitoring import SelfMonitoring
from watcher.store.sql import SqlStore

HOUR = timedelta(hours=1)
ALL = USUAL_EVENTS | {Events.METRICS}
ROUTES = (
    Route("chat", events=ALL),
    Route("nagged", events=ALL, repeat=4 * HOUR),
    Route("pager", events=ALL, after=timedelta(minutes=30)),
    Route("boss", events=ALL, after=2 * HOUR, repeat=HOUR),
)


@dataclass
class World:
    """A watcher that looks at one source and at jobs, and whatever is owed arrives at once."""

    store: SqlStore
    clock: ManualClock = field(default_factory=ManualClock)
    routes: Sequence[Route] = ROUTES
    delivers: bool = True

    def __post_init__(self) -> None:
        self.monitoring = SelfMonitoring(
            self.store,
            runtime(self.clock, RecordingLog()),
            routes=self.routes,
            stuck_after={"running": 24 * HOUR},
            wake_delivery=lambda: None,
            watcher="w1",
        )

    async def look(self, *, is_bad: bool | None = None, delivers: bool = True) -> None:
        """Look at all; `is_bad` says how the source is found, None that nothing is known of it."""
        now = self.clock()
        failing = Health("openai", failing_since=now - 5 * HOUR, error="HTTP 503")
        fine = Health("openai", last_success=now)
        await self.monitoring.look([] if is_bad is None else [failing if is_bad else fine], [])
        if delivers:
            await self.deliver()

    async def deliver(self) -> None:
        now, everybody = self.clock(), {route.notifier: 99 for route in self.routes}
        while self.delivers and (claimed := await self.store.claim(everybody, now, now + HOUR)):
            await self.store.settle([after_attempt(each, Delivered(), now, 0.0) for each in claimed])

    async def hours(self, count: float, *, is_bad: bool | None = None, step: float = 0.5) -> None:
        for _ in range(round(count / step)):
            self.clock.move(hours=step)
            await self.look(is_bad=is_bad)

    async def find(self, condition: Condition) -> None:
        """Have a poll find a condition of a job."""
        now = self.clock()
        found = Finding(condition, now, plan(ConditionChange(condition, 0, now), self.routes, now))
        await self.store.record_findings([found], "")
        await self.deliver()

    async def told(self, notifier: str) -> list[tuple[float, str]]:
        """Return what a notifier was owed: after how many hours, and which title."""
        owed = reversed(await self.store.deliveries(notifier=notifier, limit=99))
        return [((each.event.at - START) / HOUR, each.event.title.partition(" for ")[0]) for each in owed]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as opened:
        await opened.upsert_jobs([JobSpec(KEY, "bot")], START)
        yield opened


DOWN, STILL, UP = (
    "Source openai has not answered",
    "Still: Source openai has not answered",
    "Source openai answers again",
)


async def test_a_condition_that_lasts_is_told_again_and_elsewhere_until_it_clears(store: SqlStore) -> None:
    world = World(store)
    await world.look(is_bad=True)
    await world.hours(9, is_bad=True)
    await world.hours(2, is_bad=False)

    assert await world.told("chat") == [(0, DOWN), (9.5, UP)]
    assert await world.told("nagged") == [(0, DOWN), (4, STILL), (8, STILL), (9.5, UP)]
    assert await world.told("pager") == [(0.5, DOWN), (9.5, UP)]
    assert await world.told("boss") == [(2, DOWN), *((hour, STILL) for hour in range(3, 10)), (9.5, UP)]


async def test_a_reminder_says_since_when_and_how_often_and_has_an_id_of_its_own(store: SqlStore) -> None:
    world = World(store, routes=ROUTES[:2])
    await world.look(is_bad=True)
    await world.hours(8, is_bad=True)
    *_, last = [message_of(each.event) for each in reversed(await store.deliveries(notifier="nagged"))]

    assert last.type == "watcher.source.unreachable"
    assert ("Since", "2026-11-24 12:00:00 UTC, for 8h") in [(fact.label, fact.value) for fact in last.facts]
    assert last.data == {
        "source": "openai",
        "error": "HTTP 503",
        "reminder": 2,
        "since": int(START.timestamp()),
    }
    assert len({each.event.id for each in await store.deliveries()}) == 3


async def test_what_is_told_late_is_news_and_says_for_how_long_it_has_not_cleared(store: SqlStore) -> None:
    world = World(store, routes=[ROUTES[1], Route("boss", after=4 * HOUR, repeat=HOUR)])
    await world.look(is_bad=True)
    await world.hours(6, is_bad=True)
    first, *_, last = [message_of(each.event) for each in reversed(await store.deliveries(notifier="boss"))]

    assert first.title == "Source openai has not answered for 5h"
    assert ("Not cleared", "for 4h, since 2026-11-24 12:00:00 UTC") in [
        (each.label, each.value) for each in first.facts
    ]
    assert (first.data.get("reminder"), first.data["since"]) == (None, int(START.timestamp()))
    assert (last.title, last.data["reminder"]) == ("Still: Source openai has not answered for 5h", 3)
    assert await world.told("nagged") == [(0, DOWN), (4, STILL)]  # in the same look as the news for the other


async def test_who_has_heard_nothing_hears_of_no_end_and_the_next_trouble_counts_anew(store: SqlStore) -> None:
    world = World(store)
    for is_bad in (True, False, True):
        await world.hours(0.4, is_bad=is_bad, step=0.4)
    assert await world.told("pager") == []
    await world.hours(0.4, is_bad=True, step=0.4)
    assert await world.told("pager") == []
    await world.hours(0.2, is_bad=True, step=0.2)
    assert [title for _, title in await world.told("pager")] == [DOWN]


async def test_nothing_is_told_again_of_what_no_look_finds(store: SqlStore) -> None:
    world = World(store)
    await world.look(is_bad=True)
    await world.hours(9)  # the source is not configured any more, or not asked yet
    assert await world.told("nagged") == [(0, DOWN)]


async def test_who_has_not_got_the_last_one_is_owed_no_more(store: SqlStore) -> None:
    world = World(store, delivers=False)
    await world.look(is_bad=True)
    await world.hours(9, is_bad=True)
    assert await world.told("nagged") == [(0, DOWN)]
    world.delivers = True
    await world.deliver()
    await world.look(is_bad=True)
    assert await world.told("nagged") == [(0, DOWN), (9, STILL)]


async def test_a_night_of_quiet_hours_holds_one_reminder(store: SqlStore) -> None:
    night = QuietHours(time(18), time(7))
    world = World(store, routes=[Route("chat", repeat=HOUR, holding=Holding(quiet=night))])
    await world.look(is_bad=True)
    await world.hours(20, is_bad=True)
    # That of 18:00 goes out at 07:00, and the next one an hour later.
    assert [hour for hour, _ in await world.told("chat")] == [0, 1, 2, 3, 4, 5, 6, 20]


async def test_a_muted_reminder_is_recorded_and_does_not_count_as_heard(store: SqlStore) -> None:
    world = World(store)
    mute = await store.add_silence(Silence("new", START + 10 * HOUR), START)
    await world.look(is_bad=True)
    await world.hours(1, is_bad=True)
    await store.expire_silence(int(mute.name), world.clock())
    await world.hours(0.5, is_bad=False)
    assert [each.reason for each in await store.deliveries(notifier="pager")] == [mute.title]
    assert [each.reason for each in await store.deliveries(notifier="chat")] == [None, mute.title]


async def test_a_job_that_is_missing_is_told_again_until_its_source_knows_it(store: SqlStore) -> None:
    world = World(store)
    job = await store.job(KEY)
    assert job
    for _ in range(4):
        job = after_failure(job, PollFailure(PollOutcome.MISSING, "HTTP 404"))
    await store.record([Change(0, job)])
    await world.find(missing_condition(job, world.clock()))
    await world.hours(5)
    change = detect(job, observation("running", world.clock()))
    assert change
    await store.record([Change(0, moved(after_answer(job), change), change)])
    await world.hours(5)
    missing = "bot is unknown to its source"
    assert await world.told("nagged") == [(0, missing), (4, f"Still: {missing}")]
    assert await world.told("pager") == [(0.5, missing)]


async def test_how_a_job_trains_is_told_again_until_it_has_ended(store: SqlStore) -> None:
    world = World(store)
    running = job_in("running", name="bot")
    await world.find(training_condition(running, Anomaly.DIVERGES))
    await world.hours(1)
    await world.find(training_condition(running, Anomaly.NO_NUMBER))
    await world.hours(4)
    job = await store.job(KEY)
    assert job
    change = detect(job, observation("succeeded", world.clock()))
    assert change
    await store.record([Change(0, moved(job, change)._replace(due_at=None), change)])
    await world.hours(5)
    assert [hour for hour, _ in await world.told("nagged")] == [0, 1, 5]
    assert [hour for hour, _ in await world.told("pager")] == [0.5, 1]
    assert [hour for hour, _ in await world.told("boss")] == [2, 3, 4, 5]


async def test_a_stuck_job_is_told_again_besides_each_day_and_counts_from_when_it_was_first_told(
    store: SqlStore,
) -> None:
    world = World(store, routes=[Route("nagged", repeat=10 * HOUR), Route("boss", after=30 * HOUR)])
    job = await store.job(KEY)
    assert job
    change = detect(job, observation("running", START - 24 * HOUR))
    assert change
    await store.record([Change(0, moved(job, change), change)])
    await world.look()
    await world.hours(36)
    assert [hour for hour, _ in await world.told("nagged")] == [0, 10, 20, 24, 34]
    assert [hour for hour, _ in await world.told("boss")] == [30]


async def test_a_clock_that_was_ahead_keeps_no_reminder_back(store: SqlStore) -> None:
    world = World(store, routes=[Route("nagged", repeat=HOUR)])
    world.clock.move(days=365)
    await world.look(is_bad=True)
    world.clock.move(days=-365)
    await world.hours(1, is_bad=True)
    assert len(await world.told("nagged")) == 2


async def test_a_clock_that_is_set_ahead_brings_no_reminder_early(store: SqlStore) -> None:
    world = World(store, routes=[Route("nagged", repeat=HOUR), Route("boss", after=2 * HOUR)])
    await world.look(is_bad=True)
    world.clock.move(days=365)
    world.monitoring.clock_stepped(timedelta(days=365))
    await world.hours(2, is_bad=True)
    assert len(await world.told("nagged")) == 3
    assert [hour - 365 * 24 for hour, _ in await world.told("boss")] == [2]


steps = st.tuples(
    st.integers(0, 1), st.sampled_from([10, 30, 60, 240]), st.sampled_from([True, True, True, False]), st.booleans()
)
"""Which replica looks after how many minutes, what it finds, and whether it has crashed before."""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store_file(tmp_path_factory.mktemp("reminders"), (), START)


@dataclass
class Expected:
    """A model of one notifier: when it must be owed something of the one condition that there is."""

    route: Route
    raised: datetime | None = None
    last: datetime | None = None
    owed: list[datetime] = field(default_factory=list)

    def look(self, now: datetime, *, is_bad: bool) -> None:
        if self._is_owed(now, is_bad=is_bad):
            self.owed.append(now)
            self.last = now
        self.raised = (self.raised or now) if is_bad else None
        self.last = self.last if is_bad else None

    def _is_owed(self, now: datetime, *, is_bad: bool) -> bool:
        if self.raised is None or not is_bad:  # it begins, or it ends
            has_heard = self.route.after is None or self.last is not None
            return has_heard and is_bad != bool(self.raised)
        wait, begin = (self.route.repeat, self.last) if self.last else (self.route.after, self.raised)
        return wait is not None and now - begin >= wait


@settings(max_examples=settings().max_examples // 2, suppress_health_check=list(HealthCheck))
@given(story=st.lists(steps, min_size=5, max_size=25))
def test_each_notifier_is_told_once_per_period(empty: Path, story: list[tuple[int, int, bool, bool]]) -> None:
    async def play(url: str) -> None:
        clock, expected = ManualClock(), list(map(Expected, ROUTES))
        async with SqlStore(url) as one, SqlStore(url) as two:
            worlds = [World(store, clock) for store in (one, two)]
            for which, minutes, is_bad, has_crashed in story:
                clock.move(minutes=minutes)
                if has_crashed:
                    worlds[which] = World(worlds[which].store, clock)
                for model in expected:
                    model.look(clock(), is_bad=is_bad)
                await asyncio.gather(*(world.look(is_bad=is_bad, delivers=False) for world in worlds[: which + 1]))
                await worlds[which].deliver()
            for model in expected:
                found = reversed(await one.deliveries(notifier=model.route.notifier, limit=999))
                assert [each.event.at for each in found] == model.owed, model.route.notifier

    with copy_of(empty) as url:
        asyncio.run(play(url))
