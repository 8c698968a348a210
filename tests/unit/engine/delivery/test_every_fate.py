"""What becomes of every event, through the real dispatcher and store, over crashes and two replicas, against a model.

Each ends as delivered, superseded by a later one, grouped into a delivered one, muted by a named silence, or dead
with a reason; nothing else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import time, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.store.scenes import key, move
from tests.doubles import START, ManualClock, runtime
from tests.store_files import copy_of, store_file
from tests.unit.engine.delivery.dispatching import dispatch, told_in
from watcher.domain.conditions import Health
from watcher.domain.deliveries import Delivered, Delivery, DeliveryState, Failed, Outcome, Rejected
from watcher.domain.events import Event
from watcher.domain.holding import Digest, Holding, QuietHours
from watcher.domain.jobs import JobSpec
from watcher.domain.messages import Message
from watcher.domain.notifications import plan
from watcher.domain.routing import FirstSeen, Route
from watcher.domain.silences import Silence, first_that_mutes
from watcher.domain.transitions import Transition
from watcher.engine.self_monitoring import SelfMonitoring
from watcher.store.sql import SqlStore

STATUSES = ("queued", "running", "paused", "failed")
HELD = {
    "live": Holding(),
    "batched": Holding(batch=timedelta(minutes=5)),
    "night": Holding(quiet=QuietHours(time(12, 20), time(13), exempt=frozenset({"failed"}))),
    "daily": Holding(digest=Digest(time(12, 45))),
}
ROUTES = [
    Route(name, first_seen=FirstSeen.ALWAYS, holding=holding, repeat=timedelta(minutes=5))
    for name, holding in HELD.items()
]
OUTCOMES: Mapping[str, Outcome] = {
    "delivered": Delivered(),
    "failed": Failed("HTTP 503: try later"),
    "rejected": Rejected("HTTP 410: gone"),
}
CRASHES = ("crash before", "crash after")
"""The process dies while a message is on its way: before the receiver has taken it, or right after."""

answers = st.lists(st.sampled_from([*OUTCOMES, "delivered", *CRASHES]), max_size=4)
steps = st.one_of(
    st.tuples(st.just("see"), st.integers(0, 3)),
    st.tuples(st.just("see"), st.integers(0, 3)),
    st.tuples(st.just("look"), st.integers(0, 1), st.booleans()),
    st.tuples(st.just("silence"), st.integers(0, 1)),
    st.tuples(st.just("deliver"), st.integers(0, 1), answers),
    st.tuples(st.just("both_deliver"), answers),
    st.tuples(st.just("wait"), st.sampled_from([1, 6, 20])),
)


@dataclass
class Receiver:
    """One notifier of one process, which answers as it is told to, and may kill the process."""

    story: Story
    name: str
    edits: bool
    script: list[str]
    killed: asyncio.Event
    concurrency: int = 2

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:  # noqa: ARG002 - a double
        how = self.script.pop(0) if self.script else "delivered"
        if how in {"delivered", "crash after"}:
            self.story.arrived[self.name].update(told_in(message))
        if how in CRASHES:
            self.story.cut_off.update(told_in(message))
            self.killed.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        return OUTCOMES[how]

    def is_update(self, message: Message) -> bool:
        return self.edits and not message.type.endswith(".failed")


@dataclass
class Story:
    """Two replicas on one store, and what the model knows of each event."""

    replicas: Sequence[SqlStore]
    clock: ManualClock = field(default_factory=ManualClock)
    events: list[Event] = field(default_factory=list)
    silences: dict[int, Silence] = field(default_factory=dict)
    """Those in force, by the team that they mute."""
    muted: dict[str, str] = field(default_factory=dict)
    """The reason of each event that must be muted."""
    arrived: dict[str, Counter[str]] = field(default_factory=lambda: {route.notifier: Counter() for route in ROUTES})
    cut_off: set[str] = field(default_factory=set)
    """The events that were on their way when a process died: their receiver may get them twice."""

    async def play(self, what: str, *details: object) -> None:
        await getattr(self, f"_{what}")(*details)

    async def _wait(self, minutes: int) -> None:
        self.clock.move(minutes=minutes)

    async def _see(self, number: int) -> None:
        """Have a job move on, seen by a replica."""
        job = await self.replicas[0].job(key(number))
        assert job
        before = STATUSES.index(job.status) if job.status in STATUSES else -1
        change = move(job, STATUSES[(before + 1) % len(STATUSES)], self.clock())
        news = change.transition
        assert news
        recipients = plan(news, ROUTES, self.clock())
        await self.replicas[number % 2].record([replace(change, recipients=recipients)])
        self.events.append(news)
        if silence := first_that_mutes(news, list(self.silences.values()), self.clock()):
            self.muted[news.id] = silence.title

    async def _look(self, which: int, is_bad: bool) -> None:
        """Have a replica find the source failing, and remind of it, or find it well."""
        now, silent = self.clock(), Health("openai", failing_since=self.clock() - timedelta(hours=9), error="HTTP 503")
        monitoring = SelfMonitoring(
            self.replicas[which],
            runtime(self.clock),
            routes=ROUTES,
            stuck_after={},
            wake_delivery=lambda: None,
            watcher="",
        )
        await monitoring.look([silent if is_bad else Health("openai", last_success=now)], [])

    async def _silence(self, team: int) -> None:
        """Mute the jobs of a team, or end that."""
        store, now = self.replicas[team], self.clock()
        if silence := self.silences.pop(team, None):
            await store.expire_silence(int(silence.name), now)
        else:
            wanted = Silence("new", now + timedelta(days=9), {"team": f"team-{team}"}, reason="a change")
            self.silences[team] = await store.add_silence(wanted, now)

    async def _deliver(self, which: int, script: Sequence[str] = ()) -> None:
        """Have a replica deliver all that is due, unless it dies on the way: then it starts again later."""
        killed = asyncio.Event()
        notifiers = {
            route.notifier: Receiver(self, route.notifier, route.notifier == "live", list(script), killed)
            for route in ROUTES
        }
        await dispatch(self.replicas[which], notifiers, self.clock, killed)

    async def _both_deliver(self, script: Sequence[str]) -> None:
        await asyncio.gather(self._deliver(0, script), self._deliver(1))

    async def end(self) -> None:
        """Let all that is owed go out."""
        for _ in range(30):
            self.clock.move(hours=3)
            await self._deliver(0)
        assert await self.replicas[0].pending_deliveries() == {}

    async def check(self) -> None:
        """Compare the fate of every event at every notifier with the model."""
        found = await self.replicas[1].deliveries(limit=10_000)
        fates = {(each.notifier, each.event.id): each for each in found}
        of_jobs = {name for name, fate in fates.items() if isinstance(fate.event, Transition)}
        assert of_jobs == {(route.notifier, event.id) for route in ROUTES for event in self.events}
        for fate in found:
            self._check(fate, found)
        assert not any(self.muted.keys() & arrived.keys() for arrived in self.arrived.values())

    def _check(self, fate: Delivery, others: Sequence[Delivery]) -> None:
        event, times = fate.event.id, self.arrived[fate.notifier][fate.event.id]
        assert (fate.state is DeliveryState.MUTED) == (event in self.muted)
        match fate.state:
            case DeliveryState.MUTED:
                assert fate.reason == self.muted[event]
            case DeliveryState.DELIVERED:
                assert times == 1 or (times > 1 and event in self.cut_off)
            case DeliveryState.DEAD:
                assert fate.last_error == "HTTP 410: gone"
                assert times == 0 or event in self.cut_off
            case state:
                assert (state, fate.notifier) == (DeliveryState.SUPERSEDED, "live")
                assert not fate.event.type.endswith(".failed")
                assert any(_comes_after(later, fate) for later in others)


def _comes_after(later: Delivery, fate: Delivery) -> bool:
    is_its = (later.notifier, later.event.subject) == (fate.notifier, fate.event.subject)
    has_gone = later.state in {DeliveryState.DELIVERED, DeliveryState.DEAD}
    return is_its and later.event.seq > fate.event.seq and has_gone


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    jobs = [JobSpec(key(number), labels={"team": f"team-{number % 2}"}) for number in range(4)]
    return store_file(tmp_path_factory.mktemp("every-fate"), jobs, START)


@settings(
    deadline=None,
    derandomize=True,
    max_examples=settings().max_examples // 2,
    suppress_health_check=list(HealthCheck),
)
@given(story=st.lists(steps, min_size=5, max_size=30))
def test_every_event_has_one_of_five_fates(empty: Path, story: list[tuple[str, object]]) -> None:
    async def play(url: str) -> None:
        async with SqlStore(url) as one, SqlStore(url) as two:
            told = Story((one, two))
            for step in story:
                await told.play(*step)
            await told.end()
            await told.check()

    with copy_of(empty) as url:
        asyncio.run(play(url))
