"""When a job is polled next."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import START, job_in
from watcher.domain.cadence import (
    PollOutcome,
    Trouble,
    answered,
    is_reported_missing,
    next_poll,
    troubled,
)

INTERVAL = timedelta(seconds=30)
FAILED = Trouble(PollOutcome.FAILED, "HTTP 503")
MISSING = Trouble(PollOutcome.MISSING, "HTTP 404")
REJECTED = Trouble(PollOutcome.REJECTED, "HTTP 401")


def wait_after(
    failures: int, trouble: Trouble = FAILED, interval: timedelta = INTERVAL, jitter: float = -1.0
) -> timedelta:
    at = next_poll(job_in("running", failures=failures), interval, START, jitter, trouble)
    assert at is not None
    return at - START


def test_an_answered_job_is_polled_after_the_interval() -> None:
    assert next_poll(job_in("running"), INTERVAL, START, 1.0) == START + INTERVAL


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_a_job_that_has_ended_is_polled_no_more(status: str) -> None:
    assert next_poll(job_in(status), INTERVAL, START, 0.0) is None


def test_an_unknown_status_never_stops_the_polling() -> None:
    assert next_poll(job_in("paused"), INTERVAL, START, 0.0) == START + INTERVAL


@pytest.mark.parametrize(("failures", "seconds"), [(1, 60), (2, 120), (3, 240), (4, 300), (5, 300), (10**6, 300)])
def test_failed_polls_double_the_wait_up_to_five_minutes(failures: int, seconds: int) -> None:
    assert wait_after(failures) == timedelta(seconds=seconds)


@given(st.integers(1, 10**9), st.floats(-1, 1), st.timedeltas(timedelta(milliseconds=1), timedelta(days=365)))
def test_a_back_off_never_passes_five_minutes_nor_undercuts_the_interval(
    failures: int, jitter: float, interval: timedelta
) -> None:
    wait = wait_after(failures, interval=interval, jitter=jitter)

    assert wait <= max(timedelta(minutes=5), interval)
    assert wait >= min(interval, timedelta(minutes=5)) * 0.9 - timedelta(microseconds=1)


@pytest.mark.parametrize(("asked", "waits"), [(10, 60), (90, 90), (3600, 120)])
def test_a_source_may_ask_for_a_longer_wait_up_to_two_minutes(asked: int, waits: int) -> None:
    trouble = Trouble(PollOutcome.FAILED, "HTTP 429", timedelta(seconds=asked))

    assert wait_after(1, trouble) == timedelta(seconds=waits)


def test_a_missing_job_is_asked_for_soon_three_times_then_seldom() -> None:
    job, waits = job_in(None), []
    for _ in range(4):
        job = troubled(job, MISSING)
        at = next_poll(job, INTERVAL, START, -1.0, MISSING)
        assert at is not None
        waits.append((is_reported_missing(job), (at - START).total_seconds()))

    assert waits == [(False, 5), (False, 5), (False, 5), (True, 300)]


def test_another_failure_between_is_no_404_in_a_row() -> None:
    job = troubled(troubled(troubled(job_in(None), MISSING), MISSING), FAILED)

    assert (job.missing, job.failures, job.last_error) == (0, 3, "HTTP 503")


def test_an_answer_forgives_everything() -> None:
    assert answered(troubled(job_in("running"), MISSING)) == job_in("running")


def test_a_rejection_is_the_sources_trouble_and_waits_a_minute() -> None:
    job = troubled(job_in("running"), REJECTED)

    assert (job.failures, job.last_error) == (0, "HTTP 401")
    assert next_poll(job, INTERVAL, START, 0.0, REJECTED) == START + timedelta(minutes=1)
