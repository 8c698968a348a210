"""The true times of statuses are found in what the events of the service say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import START, a_transition
from watcher.domain.jobs import JobFacts
from watcher.domain.milestones import skipped_for, with_true_times
from watcher.domain.states import JobState
from watcher.domain.telemetry import Milestone
from watcher.domain.time_in_status import status_of
from watcher.domain.transitions import Reason

SECOND = timedelta(seconds=1)
FIRST = a_transition(status="validating_files", observed_at=START, previous_since=None, reason=Reason.FIRST_SEEN)
RUNNING = replace(
    a_transition(status="running", previous_status="validating_files", previous_since=START, reason=Reason.SKIPPED),
    skipped=("queued",),
    observed_at=START + 60 * SECOND,
)


def at(state: JobState, seconds: float) -> Milestone:
    return Milestone(state, START + seconds * SECOND)


def test_a_status_that_no_poll_saw_gets_its_seconds() -> None:
    told = with_true_times(RUNNING, [at(JobState.RUNNING, 45), at(JobState.QUEUED, 42)])
    assert told.happened_at == START + 45 * SECOND
    assert told.skipped_at == {"queued": START + 42 * SECOND}
    assert skipped_for(told) == {"queued": 3 * SECOND}
    validating, running = status_of(FIRST, told, START), status_of(told, None, START + 65 * SECOND)
    assert validating
    assert validating.until == START + 42 * SECOND
    assert running
    assert (running.duration, running.is_exact) == (20 * SECOND, True)


def test_half_of_what_is_known_is_told_as_half() -> None:
    told = with_true_times(RUNNING, [at(JobState.QUEUED, 42)])
    assert (told.happened_at, skipped_for(told)) == (None, {})
    assert told.skipped_at == {"queued": START + 42 * SECOND}


def test_what_belongs_to_another_time_is_left_out() -> None:
    others = [at(JobState.RUNNING, -2), at(JobState.RUNNING, 61), at(JobState.QUEUED, -0.5), at(JobState.RUNNING, 30)]
    told = with_true_times(RUNNING, others)
    assert told.happened_at == START + 30 * SECOND
    assert told.skipped_at == {"queued": START - 0.5 * SECOND}, "the service writes whole seconds"
    assert with_true_times(FIRST, [at(JobState.VALIDATING, -3600)]).happened_at == START - 3600 * SECOND


def test_the_job_object_tells_the_end_better_than_its_events() -> None:
    end = replace(RUNNING, state=JobState.SUCCEEDED, facts=JobFacts(finished_at=START + 50 * SECOND))
    assert with_true_times(end, [at(JobState.SUCCEEDED, 55)]).happened_at == START + 50 * SECOND
    wrong = replace(end, facts=JobFacts(finished_at=START + 61 * SECOND))
    assert with_true_times(wrong, [at(JobState.SUCCEEDED, 55)]).happened_at == START + 55 * SECOND


@given(st.lists(st.tuples(st.sampled_from(JobState), st.integers(-100, 200))))
def test_times_are_in_order_and_never_after_the_observation(told: list[tuple[JobState, int]]) -> None:
    found = with_true_times(RUNNING, [at(*each) for each in told])
    times = [START - SECOND, *found.skipped_at.values(), *filter(None, [found.happened_at]), RUNNING.observed_at]
    assert times == sorted(times)
    assert all(stay >= timedelta() for stay in skipped_for(found).values())
