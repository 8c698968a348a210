"""`detect` names every change of status, and only that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import START, a_transition, job_in, observation
from watcher.domain.jobs import JobFacts
from watcher.domain.states import TERMINAL, JobState, Status
from watcher.domain.transitions import Reason, detect, has_reached, moved

STATUSES = st.sampled_from([*Status, "paused", "pending", "compressing"])


@pytest.mark.parametrize(
    ("before", "after", "reason", "skipped"),
    [
        (None, "validating_files", Reason.FIRST_SEEN, ()),
        (None, "succeeded", Reason.FIRST_SEEN, ()),
        (None, "paused", Reason.FIRST_SEEN, ()),
        ("validating_files", "queued", Reason.ADVANCED, ()),
        ("queued", "running", Reason.ADVANCED, ()),
        ("running", "succeeded", Reason.ADVANCED, ()),
        ("running", "failed", Reason.ADVANCED, ()),
        ("validating_files", "failed", Reason.ADVANCED, ()),
        ("queued", "cancelled", Reason.ADVANCED, ()),
        ("validating_files", "running", Reason.SKIPPED, ("queued",)),
        ("validating_files", "succeeded", Reason.SKIPPED, ("queued", "running")),
        ("queued", "succeeded", Reason.SKIPPED, ("running",)),
        ("running", "queued", Reason.REGRESSED, ()),
        ("running", "validating_files", Reason.REGRESSED, ()),
        ("failed", "running", Reason.REOPENED, ()),
        ("failed", "succeeded", Reason.REOPENED, ()),
        ("succeeded", "paused", Reason.REOPENED, ()),
        ("running", "paused", Reason.UNRECOGNISED, ()),
        ("paused", "pausing", Reason.UNRECOGNISED, ()),
        ("paused", "queued", Reason.ADVANCED, ()),
    ],
)
def test_each_change_has_its_reason(before: str | None, after: str, reason: Reason, skipped: tuple[str, ...]) -> None:
    transition = detect(job_in(before), observation(after))

    assert transition is not None
    assert (transition.previous_status, transition.status) == (before, after)
    assert (transition.reason, transition.skipped) == (reason, skipped)


@given(STATUSES)
def test_the_same_status_is_no_transition_whatever_else_changed(status: str) -> None:
    changed = observation(status, START + timedelta(hours=1), facts=JobFacts(model="other", trained_tokens=1))

    assert detect(job_in(status, seq=3, status_since=START), changed) is None


@given(st.lists(STATUSES, max_size=12))
def test_a_life_is_told_once_and_in_order(life: list[str]) -> None:
    """Replaying any sequence of observations tells each change once, chained without a gap."""
    job, told = job_in(None), []
    for minute, status in enumerate(life):
        transition = detect(job, observation(status, START + timedelta(minutes=minute)))
        if transition:
            told.append(transition)
            job = moved(job, transition)

    assert [transition.status for transition in told] == [
        status for before, status in zip([None, *life], life, strict=False) if status != before
    ]
    assert [transition.previous_status for transition in told] == [None, *(t.status for t in told)][: len(told)]
    assert all(first.seq < second.seq for first, second in pairwise(told))
    assert job.status == (life[-1] if life else None)


def test_the_transition_carries_what_was_known_of_the_job() -> None:
    since = START - timedelta(hours=2)
    job = job_in("queued", seq=7, status_since=since)._replace(name="support-bot", labels={"team": "nlp"})

    transition = detect(job, observation("running", facts=JobFacts(model="gpt-4o-mini")))

    assert transition is not None
    assert (transition.name, transition.labels, transition.previous_since) == ("support-bot", {"team": "nlp"}, since)
    assert transition.facts.model == "gpt-4o-mini"
    assert moved(job, transition).status_since == START


def test_a_number_is_never_given_twice_even_when_the_record_was_lost() -> None:
    """A store that begins anew numbers on from the time, so no old id can hide a new transition."""
    first = detect(job_in(None), observation("running", START))
    later = detect(job_in(None), observation("succeeded", START + timedelta(seconds=1)))

    assert first is not None
    assert later is not None
    assert first.seq < later.seq


@pytest.mark.parametrize("back", [timedelta(0), timedelta(hours=1)])
def test_numbers_grow_even_when_the_clock_stands_or_goes_back(back: timedelta) -> None:
    first = detect(job_in(None), observation("queued", START))
    assert first is not None

    second = detect(moved(job_in(None), first), observation("running", START - back))

    assert second is not None
    assert second.seq == first.seq + 1


@pytest.mark.parametrize(
    ("status", "goal", "reached"),
    [
        ("running", "running", True),
        ("succeeded", "running", True),
        ("running", "queued", True),
        ("queued", "running", False),
        ("failed", "running", False),
        ("cancelled", "queued", False),
        ("failed", "failed", True),
        ("paused", "paused", True),
        ("running", "paused", False),
        ("paused", "running", False),
        ("succeeded", "failed", False),
    ],
)
def test_a_goal_is_reached_when_it_is_there_or_was_passed(status: str, goal: str, reached: bool) -> None:
    assert has_reached(job_in(status), goal) is reached


@given(STATUSES, st.sampled_from(sorted(TERMINAL)))
def test_only_being_there_reaches_a_terminal_goal(status: str, goal: str) -> None:
    assert has_reached(job_in(status), goal) is (status == goal)


def test_a_job_that_was_never_seen_has_reached_nothing() -> None:
    assert not has_reached(job_in(None), "queued")


def test_a_state_that_such_a_job_never_has_was_not_skipped() -> None:
    """A batch is validated and then runs: it waits in no queue."""
    before = job_in("validating_files")
    seen = observation("running")
    assert detect(before, seen).skipped == ("queued",)  # type: ignore[union-attr]
    batch = detect(before, replace(seen, path=(JobState.VALIDATING, JobState.RUNNING)))
    assert batch is not None
    assert (batch.reason, batch.skipped) == (Reason.ADVANCED, ())


@pytest.mark.parametrize(
    ("event_word", "type_", "word"),
    [
        (None, "fine_tuning.job.COMPLETED", "COMPLETED"),
        ("succeeded", "fine_tuning.job.succeeded", "succeeded"),
        ("batch.completed", "batch.completed", "COMPLETED"),
    ],
)
def test_the_type_of_an_event_is_a_word_or_given_whole(event_word: str | None, type_: str, word: str) -> None:
    transition = a_transition(status="COMPLETED", event_word=event_word)
    assert (transition.type, transition.word) == (type_, word)


def test_a_state_that_is_not_on_the_way_of_such_a_job_is_no_step_back() -> None:
    """Some services validate the files of a job that is queued already."""
    seen = observation("validating_files")
    assert detect(job_in("queued"), seen).reason is Reason.REGRESSED  # type: ignore[union-attr]
    aside = detect(job_in("queued"), replace(seen, path=(JobState.QUEUED, JobState.RUNNING)))
    assert aside is not None
    assert aside.reason is Reason.ADVANCED
