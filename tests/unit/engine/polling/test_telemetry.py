"""What is new of a job is read page by page since the last cursor; what goes wrong ends one look."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import nan

from tests.doubles import START, ManualClock, RecordingLog, ScriptedSource, job_in, runtime
from watcher.domain.jobs import Basis, Forecast, JobKey, Progress
from watcher.domain.polling_policy import PollOutcome
from watcher.domain.states import JobState
from watcher.domain.telemetry import Checkpoint, EventPage, MetricPoint, Milestone
from watcher.engine.polling.telemetry import MOST_PAGES, TelemetryFeed, TelemetryReader
from watcher.errors import StoreUnavailableError, TransientError
from watcher.plugins.source import Capabilities

JOB = job_in("running")
POINT = MetricPoint("train_loss", 3, 0.5, START)


class Paged(ScriptedSource):
    """Gives one page after the other, and then fails."""

    def __init__(self, *pages: EventPage) -> None:
        super().__init__(ManualClock(), {})
        self.pages = list(pages)
        self.cursors: list[str | None] = []

    async def events(self, job_id: str, cursor: str | None = None, /) -> EventPage:
        self.cursors.append(cursor)
        if not self.pages:
            raise TransientError(f"no events of {job_id}")
        return self.pages.pop(0)


class Kept:
    """Keeps in memory what it is given."""

    def __init__(self, cursor: str | None = None, trouble: Exception | None = None) -> None:
        self.cursor = cursor
        self.trouble = trouble
        self.points: list[MetricPoint] = []
        self.milestones: list[Milestone] = []
        self.writes = 0

    async def events_cursor(self, key: JobKey) -> str | None:
        assert key == JOB.key
        return self.cursor

    async def record_points(
        self, key: JobKey, points: Sequence[MetricPoint], cursor: str | None, now: datetime
    ) -> None:
        assert (key, now) == (JOB.key, START)
        if self.trouble:
            raise self.trouble
        self.points += points
        self.cursor = cursor
        self.writes += 1

    async def last_points(self, key: JobKey, count: int = 1) -> Sequence[MetricPoint]:
        assert key == JOB.key
        if self.trouble:
            raise self.trouble
        return self.points[-count:]

    async def record_milestones(self, key: JobKey, milestones: Sequence[Milestone]) -> None:
        assert key == JOB.key
        if self.trouble:
            raise self.trouble
        self.milestones += milestones


def page(number: int, *, more: bool = True, cursor: str | None = None) -> EventPage:
    progress = Progress(number, 100, START)
    return EventPage(
        points=(POINT._replace(step=number),), progress=progress, cursor=cursor or str(number), has_more=more
    )


async def look(source: ScriptedSource, store: Kept | None, log: RecordingLog | None = None) -> Progress | None:
    return (await reader(store, log).read(source, JOB)).progress


async def test_pages_are_read_on_from_the_last_cursor() -> None:
    source, store = Paged(page(5), page(4, more=False)), Kept("3")
    assert await look(source, store) == Progress(5, 100, START)
    assert source.cursors == ["3", "5"]
    assert ([point.step for point in store.points], store.cursor, store.writes) == ([5, 4], "4", 1)


async def test_nothing_new_is_not_written() -> None:
    store = Kept("3")
    assert await look(Paged(EventPage(cursor="3")), store) is None
    assert store.writes == 0


async def test_milestones_are_kept_even_where_there_is_nothing_else() -> None:
    store, started = Kept("3"), Milestone(JobState.RUNNING, START)
    await look(Paged(EventPage(milestones=(started,), cursor="3")), store)
    assert (store.milestones, store.writes) == ([started], 0)


async def test_milestones_of_the_object_are_kept_where_there_is_a_store() -> None:
    store, started, log = Kept(), Milestone(JobState.RUNNING, START), RecordingLog()
    await reader(store).keep_milestones(JOB, (started,))
    assert store.milestones == [started]
    await reader(Kept(trouble=AssertionError())).keep_milestones(JOB, ())
    await reader(None).keep_milestones(JOB, (started,))
    await reader(Kept(trouble=StoreUnavailableError("locked")), log).keep_milestones(JOB, (started,))
    assert "milestones are not recorded" in str(log.lines)


def reader(store: Kept | None, log: RecordingLog | None = None, **more: timedelta) -> TelemetryReader:
    return TelemetryReader(store, runtime(ManualClock(), log or RecordingLog()), **more)


async def test_how_a_job_trains_is_returned_each_time_for_only_the_record_knows_what_is_news() -> None:
    store = Kept()
    judge = reader(store)
    first = await judge.condition(JOB)
    assert first is not None
    assert first.is_good
    store.points.append(POINT._replace(value=nan))
    bad = await judge.condition(JOB)
    assert bad is not None
    assert bad.data["anomaly"] == "no_number"
    assert await judge.condition(JOB) == bad


async def test_a_run_that_has_done_all_its_steps_does_not_stall() -> None:
    store = Kept()
    store.points += [
        POINT._replace(step=step, at=START - timedelta(minutes=100 - step), value=1 / (step + 1)) for step in range(40)
    ]
    judge = reader(store)
    for done, anomaly in ((40, None), (39, "stalled")):
        told = EventPage(progress=Progress(done, 40, START), cursor="1")
        await judge.read(Paged(told), JOB)
        found = await judge.condition(JOB)
        assert found is not None
        assert found.data.get("anomaly") == anomaly
    judge.forget(JOB.key)
    last = store.points[-1].at
    for end, anomaly in ((last, None), (last + timedelta(minutes=2), "stalled")):  # as the forecast has it
        found = await judge.condition(JOB._replace(forecast=Forecast(end, Basis.PROGRESS, START)))
        assert found is not None
        assert found.data.get("anomaly") == anomaly


async def test_a_source_that_does_not_answer_makes_no_run_stall() -> None:
    store = Kept()
    store.points += [POINT._replace(step=step, at=START - timedelta(minutes=100 - step)) for step in range(40)]
    judge = reader(store)
    for page_of_events, is_good in ((EventPage(cursor="1"), False), (None, True)):
        await judge.read(Paged(*filter(None, [page_of_events])), JOB)
        found = await judge.condition(JOB)
        assert found is not None
        assert found.is_good is is_good


async def test_points_that_cannot_be_had_are_not_judged() -> None:
    assert await reader(None).condition(JOB) is None
    assert await reader(Kept(trouble=StoreUnavailableError("locked"))).condition(JOB) is None


async def test_what_was_measured_is_known_at_the_end_and_its_checkpoints() -> None:
    saved = Checkpoint("c", 4, START, None, {"full_valid_loss": 0.75})
    unknown = [Checkpoint("d", None, START, None, {"a": 1.0}), Checkpoint("e", 5, None, None, {"a": 1.0})]
    source, store = Paged(EventPage(checkpoints=(saved, *unknown), cursor="4")), Kept()
    await look(source, store)
    assert await reader(store).last_measured(JOB) == (MetricPoint("full_valid_loss", 4, 0.75, START),)
    assert await reader(None).last_measured(JOB) == ()


async def test_a_source_that_is_slow_is_not_waited_for() -> None:
    class Slow(Paged):
        async def events(self, job_id: str, cursor: str | None = None, /) -> EventPage:
            await asyncio.Event().wait()
            return await super().events(job_id, cursor)

    came_to = await reader(Kept()).read(Slow(), JOB, timedelta(milliseconds=1))
    assert came_to.failure is not None
    assert (came_to.failure.error, came_to.requests) == ("no events in time", 1)


async def test_no_page_is_begun_after_half_of_the_time() -> None:
    clock = ManualClock()

    class Moving(Paged):
        async def events(self, job_id: str, cursor: str | None = None, /) -> EventPage:
            clock.move(seconds=1)
            return await super().events(job_id, cursor)

    source, store = Moving(*(page(number) for number in range(9))), Kept()
    store.cursor = "3"
    unhurried = TelemetryReader(store, replace(runtime(ManualClock()), steady=lambda: clock().timestamp()))
    came_to = await unhurried.read(source, JOB, timedelta(seconds=5))
    assert (came_to.requests, came_to.failure, store.cursor) == (3, None, "2")


async def test_a_reading_says_how_many_requests_it_took_and_what_ended_it() -> None:
    came_to = await reader(Kept()).read(Paged(page(5)), JOB)
    assert came_to.failure is not None
    assert (came_to.requests, came_to.failure.outcome) == (2, PollOutcome.FAILED)


async def test_the_end_of_a_job_does_not_need_the_store() -> None:
    log = RecordingLog()
    assert await reader(Kept(trouble=StoreUnavailableError("full")), log).last_measured(JOB) == ()
    assert log.events("debug") == ["metric points are not known"]


async def test_endless_pages_end_at_a_bound_and_go_on_at_the_next_look() -> None:
    source, store = Paged(*(page(number) for number in range(100))), Kept()
    await look(source, store)
    assert (len(source.cursors), store.cursor) == (MOST_PAGES, str(MOST_PAGES - 1))
    source = Paged(page(1, cursor="x"), page(2, cursor="x"), page(3))
    await look(source, Kept())
    assert source.cursors == [None, "x"]


async def test_a_page_that_fails_leaves_what_was_read() -> None:
    source, store = Paged(page(5)), Kept()
    assert await look(source, store) == Progress(5, 100, START)
    assert (store.cursor, len(store.points)) == ("5", 1)


async def test_a_store_that_fails_costs_the_points_only() -> None:
    log = RecordingLog()
    assert await look(Paged(page(5, more=False)), Kept(trouble=StoreUnavailableError("full")), log) is None
    assert log.events("debug") == ["metric points are not recorded"]


async def test_without_a_store_one_page_says_how_far_the_job_is() -> None:
    assert await look(Paged(page(5)), None) == Progress(5, 100, START)
    assert await look(Paged(), None) is None


class Looker:
    """Looks at jobs by a clock that is moved by hand."""

    def __init__(self, *pages: EventPage) -> None:
        self.source = Paged(*pages)
        self.now = 0.0
        self.told: list[EventPage] = []
        world = replace(runtime(ManualClock()), steady=lambda: self.now)
        self.feed = TelemetryFeed(lambda _job, page: self.told.append(page), world, limit=timedelta(milliseconds=20))

    async def look(self, status: str = "running", *, at: float = 0.0) -> int:
        """Look at the job in a status, and return how many questions that took."""
        self.now, before = at, len(self.source.cursors)
        await self.feed.look(self.source, job_in(status))
        return len(self.source.cursors) - before


async def test_whoever_looks_on_gets_each_page_and_the_next_look_goes_on_there() -> None:
    looker = Looker(page(1), page(2, more=False), page(3, cursor="2"))
    assert [await looker.look(), await looker.look(at=60)] == [2, 1]
    assert [each.progress for each in looker.told] == [Progress(number, 100, START) for number in (1, 2, 3)]
    assert looker.source.cursors == [None, "1", "2"]


async def test_a_longer_run_is_looked_at_less_often_and_one_that_has_ended_once_more() -> None:
    looker = Looker(*(page(number, more=False) for number in range(1, 9)))
    looks = [await looker.look(at=at) for at in (0, 3600, 3630, 3663)]
    assert looks == [1, 1, 0, 1]
    assert [await looker.look("queued", at=3700), await looker.look("succeeded", at=3701)] == [0, 1]


async def test_a_source_without_events_is_not_asked() -> None:
    looker = Looker(page(1))
    looker.source.capabilities = Capabilities()
    assert await looker.look() == 0


async def test_what_goes_wrong_or_takes_too_long_ends_one_look() -> None:
    looker = Looker(page(1))
    assert await looker.look() == 2  # the second one fails
    hanging = Looker()
    never = asyncio.Event()

    async def hang(_job_id: str, _cursor: str | None = None, /) -> EventPage:
        await never.wait()
        raise AssertionError

    hanging.source.events = hang  # type: ignore[method-assign]
    await hanging.look()
    assert hanging.told == []


async def test_no_look_is_without_end() -> None:
    looker = Looker(*(page(number) for number in range(1, 50)))
    assert await looker.look() == MOST_PAGES
