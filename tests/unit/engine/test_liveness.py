"""A loop is steady while it turns and its work ends."""

from __future__ import annotations

from watcher.engine.liveness import LONGEST_TURN_SECONDS, LONGEST_WORK_SECONDS, Pulse


class Time:
    """Monotonic time, moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_loop_that_does_not_turn_is_not_steady() -> None:
    time = Time()
    pulse = Pulse(time)
    time.now = LONGEST_TURN_SECONDS - 1
    assert pulse.is_steady()
    time.now += 1
    assert not pulse.is_steady()
    pulse.turned()
    assert pulse.is_steady()


def test_work_that_never_ends_is_found_however_well_the_loop_turns() -> None:
    time = Time()
    pulse = Pulse(time)
    pulse.begun("a poll")
    time.now = LONGEST_WORK_SECONDS / 2
    pulse.begun("another")
    time.now = LONGEST_WORK_SECONDS
    pulse.turned()
    assert not pulse.is_steady()
    pulse.ended("a poll")
    assert pulse.is_steady()
