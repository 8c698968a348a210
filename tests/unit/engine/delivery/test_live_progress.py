"""Progress is shown in what was sent, once a minute at most; what cannot be shown is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from tests.doubles import START, ManualClock, RecordingLog, ScriptedNotifier, a_transition, job_in, runtime, until
from watcher.domain.jobs import Basis, Forecast, Job, JobKey, Progress
from watcher.domain.messages import Message
from watcher.domain.states import JobState
from watcher.domain.telemetry import TRAIN_LOSS, MetricPoint
from watcher.domain.transitions import Transition
from watcher.engine.delivery.live_progress import LiveProgress
from watcher.engine.ports import Notifier
from watcher.errors import StoreUnavailableError

RUNNING = a_transition(status="running", state=JobState.RUNNING, seq=1)
SUCCEEDED = a_transition(seq=2)
HALF = Progress(340, 600, START)


class Screen(ScriptedNotifier):
    """Shows progress."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[tuple[str, str]] = []
        self.messages: list[Message] = []
        self.trouble: Exception | None = None

    async def show(self, message: Message, receipt: str) -> None:
        if self.trouble:
            raise self.trouble
        self.messages.append(message)
        self.shown.append((message.title, receipt))


class Sent:
    """What was sent before."""

    def __init__(self) -> None:
        self.transitions: list[Transition] = [RUNNING]
        self.known: Mapping[str, str] = {"chat": "r1"}
        self.trouble: StoreUnavailableError | None = None

    async def receipts(self, thread: str) -> Mapping[str, str]:
        if self.trouble:
            raise self.trouble
        assert thread == "openai/ftjob-abc123"
        return self.known

    async def latest_transitions(self, _key: JobKey, _limit: int = 100) -> Sequence[Transition]:
        return self.transitions[:1] if len(self.transitions) < 2 else [self.transitions.pop(0)]

    async def last_points(self, _key: JobKey) -> Sequence[MetricPoint]:
        return [MetricPoint(TRAIN_LOSS, 340, 0.42, START)]


class World:
    """What shows progress, and all around it."""

    def __init__(self, notifiers: Mapping[str, Notifier] | None = None, most_jobs: int = 30) -> None:
        self.clock, self.log, self.sent, self.screen = ManualClock(), RecordingLog(), Sent(), Screen()
        known = {"chat": self.screen, "pager": ScriptedNotifier()} if notifiers is None else notifiers
        self.live = LiveProgress(self.sent, known, runtime(self.clock, self.log), most_jobs=most_jobs)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with self.live:
            yield
            await asyncio.sleep(0.01)


def a_job(job_id: str = "ftjob-abc123") -> Job:
    forecast = Forecast(START + timedelta(minutes=9), Basis.PROGRESS, START)
    job = job_in("running", forecast=forecast)
    return Job(JobKey("openai", job_id), status=job.status, state=job.state, forecast=forecast)


async def test_a_message_that_was_sent_shows_how_far_its_job_has_come() -> None:
    world = World()
    async with world.open():
        world.live.show(a_job(), HALF)
    assert world.screen.shown == [("support-bot v3: running, 56 %", "r1")]
    facts = {fact.label: fact.value for fact in world.screen.messages[0].facts}
    assert (facts["Progress"], facts["Train loss"], facts["Left"]) == ("340 of 600 steps", "0.42", "about 9m")
    assert not world.log.lines


async def test_it_is_shown_once_a_minute() -> None:
    world = World()
    async with world.open():
        for _ in range(5):
            world.live.show(a_job(), HALF)
            await asyncio.sleep(0.01)
            world.clock.move(seconds=15)
    assert len(world.screen.shown) == 2


async def test_news_drop_what_waits(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    async with world.open():
        world.live.show(a_job(), HALF)
        world.live.forget(a_job().key)
    assert world.screen.shown == []
    assert not caplog.records


@pytest.mark.parametrize("transitions", [[SUCCEEDED], []])
async def test_a_job_that_has_ended_shows_no_progress(transitions: list[Transition]) -> None:
    world = World()
    world.sent.transitions = transitions
    async with world.open():
        world.live.show(a_job(), HALF)
    assert world.screen.shown == []


async def test_what_another_watcher_has_told_meanwhile_is_put_back() -> None:
    world = World()
    world.sent.transitions = [RUNNING, SUCCEEDED]
    async with world.open():
        world.live.show(a_job(), HALF)
    assert [title for title, _ in world.screen.shown] == ["support-bot v3: running, 56 %", "support-bot v3: succeeded"]


async def test_only_where_something_was_sent_is_anything_shown() -> None:
    world = World()
    world.sent.known = {"pager": "r2"}
    async with world.open():
        world.live.show(a_job(), HALF)
    assert world.screen.shown == []


async def test_what_takes_long_is_dropped() -> None:
    world = World()
    world.live.show(a_job(), HALF)
    world.clock.move(seconds=31)
    async with world.open():
        pass
    assert world.screen.shown == []


@pytest.mark.parametrize(
    ("trouble", "level"), [(ValueError("a fault"), "exception"), (TimeoutError(), "debug"), (None, "debug")]
)
async def test_what_goes_wrong_is_logged_and_nothing_else(trouble: Exception | None, level: str) -> None:
    world = World()
    world.screen.trouble = trouble
    world.sent.trouble = None if trouble else StoreUnavailableError("locked")
    async with world.open():
        world.live.show(a_job(), HALF)
        await until(lambda: world.log.lines)
        world.screen.trouble = world.sent.trouble = None
        world.clock.move(minutes=1)
        world.live.show(a_job(), HALF)
    assert [each for each, _, _ in world.log.lines] == [level]
    assert len(world.screen.shown) == 1


async def test_a_job_that_was_asked_is_not_asked_again_for_a_minute_whatever_it_said() -> None:
    world = World()
    key = a_job().key
    world.live.note_asked(key)
    assert not world.live.wants(key)
    world.clock.move(minutes=1)
    assert world.live.wants(key)
    world.live.note_asked(key)
    world.live.forget(key)
    assert world.live.wants(key)


def test_without_a_notifier_that_shows_it_nobody_wants_progress() -> None:
    assert not World({"pager": ScriptedNotifier()}).live.wants(a_job().key)


async def test_only_so_many_jobs_are_shown_until_some_are_silent() -> None:
    world = World(most_jobs=1)
    async with world.open():
        world.live.show(a_job(), HALF)
        assert not world.live.wants(JobKey("openai", "another"))
        world.clock.move(minutes=5)
        assert world.live.wants(JobKey("openai", "another"))
