"""Signs of life in a pipe: what a log of hours shows while nothing changes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.doubles import START, ManualClock, RecordingLog, a_transition
from watcher.cli.followed_jobs import FollowedJobs
from watcher.cli.transition_line import transition_line
from watcher.cli.watch_output import LineScreen
from watcher.domain.jobs import Job, JobFacts, JobKey, JobSpec
from watcher.domain.polling_policy import PollFailure, PollOutcome
from watcher.domain.transitions import Reason, Transition
from watcher.engine.runtime import Runtime

KEYS = [JobKey("openai", f"ftjob-{number}") for number in range(5)]


class Time(ManualClock):
    """Moves with each sleep, and ends the sleeping at some time."""

    def __init__(self, until: timedelta) -> None:
        super().__init__()
        self._end = START + until

    def steady(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.move(seconds=seconds)
        if self.at > self._end:
            raise asyncio.CancelledError


def seen(key: JobKey, status: str = "running", facts: JobFacts | None = None) -> Transition:
    given = a_transition(status=status, previous_status=None)
    return replace(given, key=key, name=None, reason=Reason.FIRST_SEEN, facts=facts or JobFacts())


async def signs_of_life(jobs: FollowedJobs, hours: float, capsys: pytest.CaptureFixture[str]) -> list[str]:
    time = Time(timedelta(hours=hours))
    runtime = Runtime(time, lambda: 0.0, RecordingLog(), steady=time.steady)
    screen = LineScreen(transition_line, jobs, runtime, time.sleep)
    with pytest.raises(asyncio.CancelledError):
        await screen.run()
    told = capsys.readouterr()
    assert told.out == ""
    return told.err.splitlines()


async def test_a_pipe_hears_every_few_minutes_how_the_job_is(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = FollowedJobs([JobSpec(KEYS[0])])
    jobs.transition(seen(KEYS[0], facts=JobFacts(estimated_finish=START + timedelta(minutes=10))))
    told = await signs_of_life(jobs, 0.2, capsys)
    assert told == [
        "watcher: still watching: ftjob-0: running for at least 3m, expected to end in 7m",
        "watcher: still watching: ftjob-0: running for at least 6m, expected to end in 4m",
        "watcher: still watching: ftjob-0: running for at least 9m, expected to end in 1m",
        "watcher: still watching: ftjob-0: running for at least 12m",
    ]


async def test_trouble_is_part_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = FollowedJobs([JobSpec(KEYS[0])])
    jobs.poll_failed(Job(KEYS[0]), PollFailure(PollOutcome.FAILED, "HTTP 503"), START)
    [told] = await signs_of_life(jobs, 0.05, capsys)
    assert told == "watcher: still watching: ftjob-0: waiting for the first answer · HTTP 503"


async def test_many_jobs_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = FollowedJobs([JobSpec(key) for key in KEYS])
    for key in KEYS[:3]:
        jobs.transition(seen(key))
    jobs.transition(seen(KEYS[3], "queued"))
    [told] = await signs_of_life(jobs, 0.05, capsys)
    assert told == "watcher: still watching: 3 running, 1 queued, 1 not seen yet"
