"""A source that rejects us is probed once a minute."""

from __future__ import annotations

from tests.doubles import ManualClock
from watcher.pipeline.gate import Gate


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
