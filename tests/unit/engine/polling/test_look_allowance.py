"""Looks at events take a share of what a source may be asked, and pause where it does not answer them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from watcher.domain.polling_policy import PollFailure, PollOutcome
from watcher.engine.polling.look_allowance import (
    FAILED_PAUSE,
    LOOKS_AT_ONCE,
    LOOKS_PER_MINUTE,
    REFUSED_PAUSE,
    LookAllowance,
)
from watcher.engine.polling.telemetry import LOOK_LIMIT

FAILED = PollFailure(PollOutcome.FAILED, "HTTP 503")
REFUSED = PollFailure(PollOutcome.REJECTED, "HTTP 403")
MISSING = PollFailure(PollOutcome.MISSING, "HTTP 404")


class Seconds:
    """A steady clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def taken(allowance: LookAllowance) -> int:
    """Take what there is."""
    count = 0
    while allowance.take():
        count += 1
    return count


@pytest.mark.parametrize(
    ("budget", "at_once", "each_minute"),
    [(None, LOOKS_PER_MINUTE, LOOKS_PER_MINUTE), (600, 60, 60), (30, LOOKS_AT_ONCE, 3), (1, LOOKS_AT_ONCE, 0)],
)
def test_looks_take_a_tenth_of_the_budget(budget: int | None, at_once: int, each_minute: int) -> None:
    clock = Seconds()
    allowance = LookAllowance(budget, clock)
    assert taken(allowance) == at_once
    clock.now = 60.0
    assert taken(allowance) == each_minute
    clock.now = 1e6
    assert taken(allowance) == at_once


def test_what_a_look_takes_beyond_one_request_is_taken_from_later_ones() -> None:
    clock = Seconds()
    allowance = LookAllowance(60, clock)
    taken(allowance)
    allowance.note(10, None)
    clock.now = 89.0
    assert not allowance.take()
    clock.now = 100.1
    assert allowance.take()


def test_a_look_waits_for_its_turns_in_the_budget() -> None:
    assert LookAllowance(None, Seconds()).limit == LOOK_LIMIT
    assert LookAllowance(6, Seconds()).limit == LOOK_LIMIT + timedelta(seconds=30)


def test_the_ends_of_jobs_are_bounded_by_a_budget_only() -> None:
    clock = Seconds()
    free, bounded = LookAllowance(None, clock), LookAllowance(60, clock)
    taken(free)
    taken(bounded)
    assert free.take_last()
    assert not bounded.take_last()
    free.note(1, REFUSED)
    assert not free.take_last()


@pytest.mark.parametrize(
    ("failure", "tolerated", "pause", "is_told"),
    [(REFUSED, 1, REFUSED_PAUSE, True), (MISSING, 3, REFUSED_PAUSE, True), (FAILED, 3, FAILED_PAUSE, False)],
)
def test_failures_in_a_row_pause_the_looks(
    failure: PollFailure, tolerated: int, pause: timedelta, *, is_told: bool
) -> None:
    clock = Seconds()
    allowance = LookAllowance(None, clock)
    for number in range(1, tolerated + 1):
        assert allowance.take()
        told = allowance.note(1, failure)
        assert told == (pause if is_told and number == tolerated else None)
    assert not allowance.take()
    clock.now = pause.total_seconds()
    assert allowance.take()
    assert allowance.note(1, failure) is None  # it was told
    assert not allowance.take()


def test_an_answer_between_failures_begins_anew() -> None:
    allowance = LookAllowance(None, Seconds())
    for failure in (MISSING, MISSING, None, MISSING, MISSING):
        allowance.note(1, failure)
    assert allowance.take()
    assert allowance.note(1, REFUSED)


def test_a_source_that_asks_for_quiet_gets_no_looks_meanwhile() -> None:
    clock = Seconds()
    allowance = LookAllowance(None, clock)
    allowance.note(1, PollFailure(PollOutcome.FAILED, "HTTP 429", timedelta(seconds=20)))
    assert not allowance.take()
    clock.now = 20.0
    assert allowance.take()
