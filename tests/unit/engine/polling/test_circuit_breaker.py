"""A source that rejects us is probed once a minute."""

from __future__ import annotations

from datetime import timedelta

from tests.doubles import ManualClock
from watcher.engine.polling.circuit_breaker import Gate


def test_an_accepting_source_gets_all_there_is_room_for() -> None:
    assert Gate().room(7, ManualClock()()) == 7


def test_a_rejecting_source_gets_one_poll_a_minute() -> None:
    clock, gate = ManualClock(), Gate()
    gate.close("HTTP 401", clock())

    assert gate.room(7, clock.move(seconds=59)) == 0
    assert gate.room(7, clock.move(seconds=1)) == 1
    assert gate.room(0, clock()) == 0


def test_only_the_first_rejection_and_the_first_acceptance_are_news() -> None:
    clock, gate = ManualClock(), Gate()

    assert [gate.close("HTTP 401", clock()), gate.close("HTTP 401", clock())] == [True, False]
    assert [gate.open(), gate.open()] == [True, False]
    assert gate.room(7, clock()) == 7


def test_a_probe_without_a_verdict_counts_as_one() -> None:
    """Whatever else comes back, the next probe is due a minute later."""
    clock, gate = ManualClock(), Gate()
    gate.close("HTTP 401", clock())
    gate.passed(clock.move(seconds=60))

    assert gate.room(7, clock.move(seconds=59)) == 0
    assert gate.room(7, clock.move(seconds=1)) == 1


def test_a_source_that_asks_for_quiet_gets_it_for_two_minutes_at_most() -> None:
    clock, gate = ManualClock(), Gate()
    gate.passed(clock())
    assert gate.room(7, clock()) == 7
    gate.hush(timedelta(seconds=30), clock())
    assert gate.room(7, clock.move(seconds=29)) == 0
    assert gate.room(7, clock.move(seconds=1)) == 7
    gate.hush(timedelta(hours=9), clock())
    assert gate.room(7, clock.move(seconds=120)) == 7
