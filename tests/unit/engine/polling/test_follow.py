"""A one-shot watch ends when its jobs do, and survives what passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.doubles import ManualClock, RecordingLog, ScriptedSource, runtime
from watcher.domain.jobs import Job, JobKey, JobSpec, Progress
from watcher.domain.polling_policy import PollFailure, PollingPolicy
from watcher.domain.telemetry import EventPage
from watcher.domain.transitions import Transition
from watcher.engine.polling.ending import Ending
from watcher.engine.polling.follow import Bounds, Follow, FollowListener
from watcher.errors import MissingError, RejectedError, TransientError

BUSY = TransientError("HTTP 503: overloaded")
UNKNOWN = MissingError("HTTP 404: no such job")
REFUSED = RejectedError("HTTP 401: bad key")
INTERVAL = timedelta(seconds=10)
POLICY = PollingPolicy(INTERVAL, timedelta(minutes=5), is_adaptive=False)


class World:
    """A watch whose sleeping moves the clock."""

    def __init__(
        self, script: Mapping[str, Sequence[str | Exception]], bounds: Bounds | None = None, *, looks_on: bool = False
    ) -> None:
        self.clock = ManualClock()
        self.slept: list[float] = []
        self.told: list[Transition] = []
        self.failures: list[tuple[str, bool]] = []
        self.source = ScriptedSource(self.clock, script)
        self.log = RecordingLog()
        # The first wait in a status is not cut short then.
        context = replace(runtime(self.clock, self.log), jitter=lambda: 1.0)
        self.answers: list[tuple[str | None, Progress | None]] = []
        self.pages: list[EventPage] = []
        listener = FollowListener(
            self.told.append,
            self.poll_failed,
            lambda job, progress: self.answers.append((job.status, progress)),
            (lambda _job, page: self.pages.append(page)) if looks_on else None,
        )
        self.watch = Follow({"openai": self.source}, bounds or Bounds(POLICY), listener, context, self.sleep)

    def poll_failed(self, _job: Job, failure: PollFailure, next_at: datetime | None) -> None:
        self.failures.append((failure.error, next_at is not None))

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.move(seconds=seconds)

    async def run(self, *ids: str) -> list[Ending]:
        endings = await self.watch.run([JobSpec(JobKey("openai", job_id)) for job_id in ids or ("a",)])
        return list(endings.values())


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
async def test_it_tells_what_it_sees_and_ends_with_the_job(status: str) -> None:
    world = World({"a": ["queued", "queued", "running", status]})

    assert await world.run() == [Ending(status)]
    assert [transition.status for transition in world.told] == ["queued", "running", status]
    assert world.slept == [10, 10, 10]


async def test_it_survives_failures_and_waits_longer_each_time() -> None:
    world = World({"a": ["running", BUSY, BUSY, "running", "succeeded"]})

    assert await world.run() == [Ending.SUCCEEDED]
    assert world.slept == pytest.approx([10, 18, 36, 10])
    assert [transition.status for transition in world.told] == ["running", "succeeded"]


async def test_an_unknown_status_is_told_and_never_stops_it() -> None:
    world = World({"a": ["running", "paused", "running", "succeeded"]})

    assert await world.run() == [Ending.SUCCEEDED]
    assert [transition.status for transition in world.told] == ["running", "paused", "running", "succeeded"]


async def test_nothing_but_failures_for_too_long_gives_up() -> None:
    world = World({"a": ["running", BUSY]}, Bounds(POLICY, give_up_after=timedelta(minutes=15)))

    assert await world.run() == [Ending.GAVE_UP]
    assert sum(world.slept) == 10 + 15 * 60  # fifteen minutes after the first failure, not some back-off later
    assert world.failures[-1] == ("HTTP 503: overloaded", False)


async def test_a_404_is_tolerated_three_times() -> None:
    assert await World({"a": [UNKNOWN, UNKNOWN, UNKNOWN, "succeeded"]}).run() == [Ending.SUCCEEDED]
    world = World({"a": [UNKNOWN]})
    assert await world.run() == [Ending.NOT_FOUND]
    assert len(world.source.asked) == 4


async def test_the_first_rejection_ends_it_for_all_jobs() -> None:
    world = World({"a": ["running"], "b": [REFUSED]})

    assert await world.run("a", "b") == [Ending.REJECTED, Ending.REJECTED]
    assert world.source.asked.count("b") == 1


async def test_several_jobs_end_each_in_its_own_way() -> None:
    world = World({"a": ["running", "succeeded"], "b": ["failed"], "c": [UNKNOWN]})

    assert await world.run("a", "b", "c") == [Ending.SUCCEEDED, Ending.FAILED, Ending.NOT_FOUND]


@pytest.mark.parametrize(
    ("until", "script", "ending"),
    [
        ("running", ["queued", "running"], Ending.REACHED),
        ("queued", ["validating_files", "running"], Ending.REACHED),
        ("running", ["queued", "failed"], Ending.FAILED),
        ("paused", ["running", "paused"], Ending.REACHED),
        ("failed", ["running", "failed"], Ending.REACHED),
    ],
)
async def test_until_ends_at_a_status_or_past_it(until: str, script: list[str | Exception], ending: Ending) -> None:
    assert await World({"a": script}, Bounds(POLICY, until=until)).run() == [ending]


async def test_time_is_up_for_whatever_has_not_ended() -> None:
    world = World({"a": ["succeeded"], "b": ["running"]}, Bounds(POLICY, timeout=timedelta(milliseconds=30)))

    assert await world.run("a", "b") == [Ending.SUCCEEDED, Ending.TIMED_OUT]


async def test_a_fault_of_ours_is_a_failed_poll_not_the_end() -> None:
    world = World({"a": [ZeroDivisionError(), "succeeded"]})

    assert await world.run() == [Ending.SUCCEEDED]
    assert world.log.events("exception") == ["poll failed with an internal error"]


async def test_whoever_looks_on_hears_of_answers_and_of_what_is_new_while_the_job_runs_and_once_it_has_ended() -> None:
    world = World({"a": ["queued", "running", "running", BUSY, "succeeded"]}, looks_on=True)
    world.source.progress_of["a"] = Progress(7, 10, world.clock())
    await world.run()
    assert [status for status, _ in world.answers] == ["queued", "running", "running", "succeeded"]
    assert [page.progress for page in world.pages] == [Progress(7, 10, world.pages[0].progress.at)] * 3  # type: ignore[union-attr]


async def test_a_source_that_is_not_to_be_asked_for_events_is_not() -> None:
    world = World({"a": ["running", "succeeded"]}, Bounds(POLICY, silent=frozenset({"openai"})), looks_on=True)
    await world.run()
    assert world.source.looked_at == []


async def test_nobody_looking_on_takes_no_further_request() -> None:
    world = World({"a": ["running", "succeeded"]})
    await world.run()
    assert world.source.looked_at == []
