"""A loop is steady while it turns and its work ends."""

from __future__ import annotations

from watcher.engine.liveness import LONGEST_TURN_SECONDS, LONGEST_WORK_SECONDS, Liveness


class Time:
    """Monotonic time, moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_loop_that_does_not_turn_is_not_steady() -> None:
    time = Time()
    liveness = Liveness(time)
    time.now = LONGEST_TURN_SECONDS - 1
    assert liveness.is_steady()
    time.now += 1
    assert not liveness.is_steady()
    liveness.turned()
    assert liveness.is_steady()


def test_work_that_never_ends_is_found_however_well_the_loop_turns() -> None:
    time = Time()
    liveness = Liveness(time)
    liveness.begun("a poll")
    time.now = LONGEST_WORK_SECONDS / 2
    liveness.begun("another")
    time.now = LONGEST_WORK_SECONDS
    liveness.turned()
    assert not liveness.is_steady()
    liveness.ended("a poll")
    assert liveness.is_steady()
