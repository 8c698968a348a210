"""A source that rejects us is probed once a minute."""

from __future__ import annotations

from datetime import timedelta

from tests.doubles import ManualClock
from watcher.engine.polling.circuit_breaker import CircuitBreaker


def test_an_accepting_source_gets_all_there_is_room_for() -> None:
    assert CircuitBreaker().room(7, ManualClock()()) == 7


def test_a_rejecting_source_gets_one_poll_a_minute() -> None:
    clock, circuit_breaker = ManualClock(), CircuitBreaker()
    circuit_breaker.close("HTTP 401", clock())

    assert circuit_breaker.room(7, clock.move(seconds=59)) == 0
    assert circuit_breaker.room(7, clock.move(seconds=1)) == 1
    assert circuit_breaker.room(0, clock()) == 0


def test_only_the_first_rejection_and_the_first_acceptance_are_news() -> None:
    clock, circuit_breaker = ManualClock(), CircuitBreaker()

    assert [circuit_breaker.close("HTTP 401", clock()), circuit_breaker.close("HTTP 401", clock())] == [True, False]
    assert [circuit_breaker.open(), circuit_breaker.open()] == [True, False]
    assert circuit_breaker.room(7, clock()) == 7


def test_a_probe_without_a_verdict_counts_as_one() -> None:
    """Whatever else comes back, the next probe is due a minute later."""
    clock, circuit_breaker = ManualClock(), CircuitBreaker()
    circuit_breaker.close("HTTP 401", clock())
    circuit_breaker.passed(clock.move(seconds=60))

    assert circuit_breaker.room(7, clock.move(seconds=59)) == 0
    assert circuit_breaker.room(7, clock.move(seconds=1)) == 1


def test_a_source_that_asks_for_quiet_gets_it_for_two_minutes_at_most() -> None:
    clock, circuit_breaker = ManualClock(), CircuitBreaker()
    circuit_breaker.passed(clock())
    assert circuit_breaker.room(7, clock()) == 7
    circuit_breaker.pause(timedelta(seconds=30), clock())
    assert circuit_breaker.room(7, clock.move(seconds=29)) == 0
    assert circuit_breaker.room(7, clock.move(seconds=1)) == 7
    circuit_breaker.pause(timedelta(hours=9), clock())
    assert circuit_breaker.room(7, clock.move(seconds=120)) == 7
