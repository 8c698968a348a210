"""A job that was told as stuck or missing, and is so no longer: who was told hears of it, once, on a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.doubles import START, ManualClock, RecordingLog, ScriptedSource, polling, runtime, source_state, until
from tests.store_files import copy_of, store_file
from watcher.domain.anomalies import Anomaly
from watcher.domain.conditions import ConditionChange, training_condition
from watcher.domain.deliveries import Delivered, after_attempt
from watcher.domain.events import Event
from watcher.domain.holding import Holding
from watcher.domain.jobs import JobKey, JobSpec
from watcher.domain.notifications import plan
from watcher.domain.polling_policy import MISSING_TOLERATED, PollingPolicy
from watcher.domain.routing import Events, FirstSeen, Route
from watcher.domain.states import is_terminal
from watcher.domain.transitions import Transition
from watcher.engine.polling.poller import Poller
from watcher.engine.ports import Finding
from watcher.engine.self_monitoring import SelfMonitoring
from watcher.errors import MissingError
from watcher.store.sql import SqlStore

KEY = JobKey("openai", "ftjob-1")
HOUR = timedelta(hours=1)
LIMITS = {"queued": HOUR, "running": 2 * HOUR}
ONLY_TROUBLE = frozenset({Events.WATCHER})
ROUTES = (
    Route("chat", first_seen=FirstSeen.ALWAYS),
    Route("program", first_seen=FirstSeen.ALWAYS, holding=Holding(is_grouped=False)),
    Route("ends", statuses=frozenset({"succeeded"})),
    Route("boss", events=ONLY_TROUBLE, after=HOUR),
)
GONE, LOST = "gone", "lost"


@dataclass
class World:
    """A watcher of one job; whatever is owed arrives at once."""

    store: SqlStore
    clock: ManualClock = field(default_factory=ManualClock)
    routes: Sequence[Route] = ROUTES

    def __post_init__(self) -> None:
        context = runtime(self.clock, RecordingLog())
        parts = {"routes": self.routes, "wake_delivery": lambda: None, "stuck_after": LIMITS}
        self.source = ScriptedSource(self.clock, {KEY.id: [GONE]})
        self.poller = Poller(self.store, context, **parts)  # type: ignore[arg-type]
        self.state = source_state(self.source, PollingPolicy(HOUR, HOUR), self.clock)
        self.poller.sources.add(self.state)
        self.monitoring = SelfMonitoring(self.store, context, watcher="w1", **parts)  # type: ignore[arg-type]

    async def poll(self, word: str) -> None:
        """Poll the job once, and end: what was seen is recorded then. `gone`: its source does not know it."""
        self.source.script[KEY.id] = [MissingError("HTTP 404: no such job") if word == GONE else word]
        await self.store.make_due(KEY, self.clock())
        async with polling(self.poller):
            asked = len(self.source.asked)
            self.poller.wake()
            await until(lambda: len(self.source.asked) > asked and self.state.is_idle)

    async def look(self) -> None:
        await self.monitoring.look([], [])
        now, everybody = self.clock(), {route.notifier: 99 for route in self.routes}
        while claimed := await self.store.claim(everybody, now, now + HOUR):
            await self.store.settle([after_attempt(each, Delivered(), now, 0.0) for each in claimed])

    async def pass_hours(self, count: float) -> None:
        for _ in range(round(count * 2)):
            self.clock.move(minutes=30)
            await self.look()

    async def owed(self, notifier: str) -> list[Event]:
        return [each.event for each in reversed(await self.store.deliveries(notifier=notifier, limit=999))]

    async def told(self, notifier: str) -> list[str]:
        return [event.type.rpartition(".")[2] for event in await self.owed(notifier)]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as opened:
        await opened.upsert_jobs([JobSpec(KEY, "bot")], START)
        yield World(opened)


async def test_of_a_stuck_job_that_moves_on_those_hear_that_its_transition_does_not_tell_enough(world: World) -> None:
    await world.poll("queued")
    await world.pass_hours(2.5)
    await world.poll("running")
    await world.look()

    assert await world.told("chat") == ["queued", "stuck", "running"]
    assert await world.told("program") == ["queued", "stuck", "running", "unstuck"]
    assert await world.told("ends") == ["stuck", "unstuck"]
    assert await world.told("boss") == ["stuck", "unstuck"]
    last = (await world.owed("boss"))[-1]
    assert last.title == "bot is no longer stuck: running"


async def test_the_end_of_a_job_is_enough_for_whoever_hears_of_it(world: World) -> None:
    await world.poll("running")
    await world.pass_hours(3.5)
    await world.poll("succeeded")
    await world.look()

    assert await world.told("program") == ["running", "stuck", "succeeded"]
    assert await world.told("ends") == ["stuck", "succeeded"]
    assert await world.told("boss") == ["stuck", "unstuck"]


async def test_who_was_not_told_hears_of_no_end(world: World) -> None:
    await world.poll("queued")
    await world.pass_hours(0.5)
    await world.poll("running")
    await world.look()
    assert await world.told("ends") == []
    await world.pass_hours(2.5)
    await world.poll("succeeded")
    await world.look()
    assert await world.told("boss") == []


@pytest.mark.parametrize(("seen", "is_told"), [("running", True), ("succeeded", False)])
async def test_a_missing_job_that_is_known_again_is_called_off(world: World, seen: str, is_told: bool) -> None:
    await world.poll("running")
    for _ in range(5):
        await world.poll(GONE)
    await world.pass_hours(1.5)
    await world.poll(seen)
    await world.look()

    assert await world.told("ends") == ["missing", *(["found"] if is_told else ["succeeded"])]
    assert await world.told("boss") == ["missing", "found"]
    last = (await world.owed("boss"))[-1]
    assert last.title == f"bot is known to its source again: {seen}"


async def test_a_limit_that_was_raised_since_hides_no_end(world: World) -> None:
    await world.poll("queued")
    await world.pass_hours(2.5)
    later = World(world.store, world.clock)
    later.monitoring.stuck_after = {}
    await later.poll("running")
    await later.look()
    assert await world.told("boss") == ["stuck", "unstuck"]


async def test_how_a_job_trained_is_over_when_it_has_ended(world: World) -> None:
    routes = (Route("metrics", events=frozenset({Events.METRICS})), Route("chat"))
    watching = World(world.store, world.clock, routes)
    await watching.poll("running")
    job = await world.store.job(KEY)
    assert job
    bad = training_condition(job, Anomaly.DIVERGES)
    now = world.clock()
    await world.store.record_findings([Finding(bad, now, plan(ConditionChange(bad, 0, now), routes, now))], "")
    await watching.poll("failed")
    await watching.look()
    assert await watching.told("metrics") == ["metrics", "metrics_ended"]
    assert await watching.told("chat") == ["failed"]


async def test_a_job_that_has_moved_on_meanwhile_is_not_told_as_stuck(world: World) -> None:
    await world.poll("queued")
    world.clock.move(hours=2)
    [job] = await world.store.lingering(LIMITS, world.clock())
    await world.poll("running")
    bad = replace(training_condition(job, Anomaly.DIVERGES), subject=f"job/{KEY}/stuck")
    assert await world.store.record_findings([Finding(bad, world.clock(), (), job)], "w1") == []
    assert len(await world.store.record_findings([Finding(bad, world.clock(), ())], "w1")) == 1


steps = st.tuples(
    st.integers(0, 1),
    st.sampled_from([0, 0, 1, 3]),
    st.sampled_from(["queued", "running", "paused", GONE, LOST, "look", "look", "crash"]),
)
"""Which replica does what, after how many hours."""


@pytest.fixture(scope="module")
def one_job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store_file(tmp_path_factory.mktemp("troubles"), [JobSpec(KEY, "bot")], START)


@settings(max_examples=settings().max_examples // 2, suppress_health_check=list(HealthCheck))
@given(story=st.lists(steps, min_size=5, max_size=25))
def test_each_trouble_that_was_told_is_called_off_once(one_job: Path, story: list[tuple[int, int, str]]) -> None:
    async def play(url: str) -> None:
        clock = ManualClock()
        async with SqlStore(url) as one, SqlStore(url) as two:
            worlds = [World(store, clock) for store in (one, two)]
            for which, hours, what in [*story, (0, 0, "look"), (0, 0, "succeeded")]:
                clock.move(hours=hours, seconds=1)
                if what == "crash":
                    worlds[which] = World(worlds[which].store, clock)
                elif what == "look":
                    await asyncio.gather(*(world.look() for world in worlds[: which + 1]))
                else:
                    for _ in range(MISSING_TOLERATED + 1 if what == LOST else 1):
                        await worlds[which].poll(GONE if what == LOST else what)
            for route in ROUTES:
                for word, end in (("stuck", "unstuck"), ("missing", "found")):
                    check(await worlds[0].owed(route.notifier), route, f"watcher.job.{word}", f"watcher.job.{end}")

    with copy_of(one_job) as url:
        asyncio.run(play(url))


def check(events: Sequence[Event], route: Route, trouble: str, end: str) -> None:
    """See that no end comes without a trouble, and no trouble stays without an end that tells of it."""
    is_open = False
    for event in events:
        if event.type == end:
            assert is_open, (route.notifier, [each.type for each in events])
            is_open = False
        elif event.type == trouble:
            is_open = True
        elif isinstance(event, Transition) and (is_terminal(event.state) or route.holding.is_grouped):
            is_open = False
    assert not is_open, (route.notifier, [each.type for each in events])
