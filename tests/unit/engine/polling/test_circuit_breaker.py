"""A source that rejects us is probed once a minute."""

from __future__ import annotations

from datetime import timedelta

import pytest

from watcher.engine.polling.circuit_breaker import CircuitBreaker


class Steady:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def steady() -> Steady:
    return Steady()


@pytest.fixture
def breaker(steady: Steady) -> CircuitBreaker:
    return CircuitBreaker(steady)


def test_an_accepting_source_gets_all_free_slots(breaker: CircuitBreaker) -> None:
    assert breaker.allowed(7) == 7


def test_a_rejecting_source_gets_one_poll_a_minute(breaker: CircuitBreaker, steady: Steady) -> None:
    breaker.trip("HTTP 401")

    steady.pass_(59)
    assert breaker.allowed(7) == 0
    steady.pass_(1)
    assert breaker.allowed(7) == 1
    assert breaker.allowed(0) == 0


def test_only_the_first_rejection_and_the_first_acceptance_are_news(breaker: CircuitBreaker) -> None:
    assert [breaker.trip("HTTP 401"), breaker.trip("HTTP 401")] == [True, False]
    assert [breaker.reset(), breaker.reset()] == [True, False]
    assert breaker.allowed(7) == 7


def test_a_probe_without_a_verdict_counts_as_one(breaker: CircuitBreaker, steady: Steady) -> None:
    """After any other answer the next probe is due a minute later."""
    breaker.trip("HTTP 401")
    steady.pass_(60)
    breaker.note_started()

    steady.pass_(59)
    assert breaker.allowed(7) == 0
    steady.pass_(1)
    assert breaker.allowed(7) == 1


def test_a_source_that_asks_for_quiet_gets_it_for_two_minutes_at_most(breaker: CircuitBreaker, steady: Steady) -> None:
    breaker.note_started()
    assert breaker.allowed(7) == 7
    breaker.pause(timedelta(seconds=30))
    steady.pass_(29)
    assert breaker.allowed(7) == 0
    steady.pass_(1)
    assert breaker.allowed(7) == 7
    breaker.pause(timedelta(hours=9))
    steady.pass_(120)
    assert breaker.allowed(7) == 7


def test_a_success_does_not_end_the_quiet_that_was_asked_for(breaker: CircuitBreaker, steady: Steady) -> None:
    breaker.pause(timedelta(seconds=30))
    breaker.reset()
    assert breaker.allowed(7) == 0
