"""How long a job was in a status is told by the service's own times, else as far as it was observed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.doubles import START, a_transition, job_in
from watcher.domain.jobs import Job, JobFacts
from watcher.domain.time_in_status import present_status, previous_status, since_transition, status_of
from watcher.domain.transitions import Reason, Transition

MINUTE = timedelta(minutes=1)
NOW = START + 10 * MINUTE


def job_since(status: str, *, is_seen: bool, **facts: object) -> Job:
    """Return a job whose status was first observed at START."""
    return job_in(status, status_since=START, is_since_exact=is_seen, facts=JobFacts(**facts))  # type: ignore[arg-type]


def first_seen(status: str, **facts: object) -> Transition:
    """Return the first sight of a job, at START."""
    return a_transition(
        status=status,
        previous_status=None,
        previous_since=None,
        reason=Reason.FIRST_SEEN,
        facts=JobFacts(**facts),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("job", "text"),
    [
        (job_since("running", is_seen=True), "10m"),
        (job_since("running", is_seen=False), "at least 10m"),
        (job_since("running", is_seen=False, created_at=START - 180 * MINUTE), "at least 10m"),
        (job_since("validating_files", is_seen=False, created_at=START - 180 * MINUTE), "3h 10m"),
        (job_since("validating_files", is_seen=True, created_at=START - 180 * MINUTE), "10m"),
        (job_since("validating_files", is_seen=False, created_at=START + MINUTE), "at least 10m"),
        (job_since("succeeded", is_seen=False, finished_at=START - 170 * MINUTE), "3h"),
        (job_since("succeeded", is_seen=True, finished_at=START - MINUTE), "11m"),
        (job_since("failed", is_seen=False), "at least 10m"),
        (job_since("failed", is_seen=True, finished_at=START + MINUTE), "10m"),
        (job_since("running", is_seen=True)._replace(facts=None), "10m"),
    ],
    ids=[
        "seen to begin",
        "first seen so",
        "created long before",
        "first status begins with the creation",
        "paused and validated again",
        "created later than seen",
        "ended long before it was seen",
        "ended before it was seen to have",
        "no time of its end",
        "ended later than seen",
        "without facts",
    ],
)
def test_the_present_status_lasts_since_it_began(job: Job, text: str) -> None:
    assert str(present_status(job, NOW)) == text


def test_a_job_that_was_not_seen_has_no_status() -> None:
    assert present_status(job_in(None), NOW) is None


def test_a_clock_that_was_set_back_makes_no_negative_duration() -> None:
    lasting = present_status(job_since("running", is_seen=True), START - MINUTE)
    assert lasting is not None
    assert (lasting.duration, str(lasting)) == (timedelta(), "0s")


ENDED = a_transition(observed_at=START + 5 * MINUTE, previous_since=START)


@pytest.mark.parametrize(
    ("following", "text"),
    [
        (None, "at least 10m"),
        (a_transition(status="paused", observed_at=START + 5 * MINUTE), "at least 5m"),
        (replace(ENDED, facts=JobFacts(finished_at=START + 4 * MINUTE)), "at least 4m"),
        (replace(ENDED, facts=JobFacts(finished_at=START + 6 * MINUTE)), "at least 5m"),
        (replace(ENDED, facts=JobFacts(finished_at=START - MINUTE)), "at least 5m"),
        (replace(ENDED, facts=JobFacts()), "at least 5m"),
        (replace(ENDED, facts=JobFacts(finished_at=START + 4 * MINUTE), reason=Reason.SKIPPED), "at least 5m"),
    ],
    ids=["goes on", "another", "finished", "finished later", "finished earlier", "no time", "skipped one between"],
)
def test_a_status_of_the_history_ends_with_the_next_one(following: Transition | None, text: str) -> None:
    assert str(status_of(first_seen("running"), following, NOW)) == text


def test_the_status_that_ends_a_job_lasts_for_no_time_but_until_it_is_reopened() -> None:
    ended = a_transition(facts=JobFacts(finished_at=START - MINUTE))
    reopened = a_transition(status="queued", reason=Reason.REOPENED, observed_at=START + 5 * MINUTE)

    assert status_of(ended, None, NOW) is None
    assert str(status_of(ended, reopened, NOW)) == "6m"
    assert str(since_transition(ended, NOW)) == "11m"


def test_the_status_before_a_transition_is_told_with_the_service_s_times() -> None:
    facts = JobFacts(created_at=START - 60 * MINUTE, finished_at=START + 4 * MINUTE)
    ended = replace(ENDED, facts=facts)

    assert previous_status(first_seen("running")) is None
    assert str(previous_status(ended)) == "4m"
    assert str(previous_status(replace(ended, is_previous_exact=False))) == "at least 4m"
    validated = a_transition(
        previous_status="validating_files",
        status="running",
        previous_since=START - 10 * MINUTE,
        is_previous_exact=False,
        facts=facts,
    )
    assert str(previous_status(validated)) == "1h"
