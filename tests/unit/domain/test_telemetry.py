"""What is kept and shown of metric points."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import START
from watcher.domain.telemetry import MOST_TOLD, MetricPoint, latest, most_telling, point_row, thinned


@given(st.lists(st.integers(0, 10**6), unique=True).map(sorted), st.integers(2, 50))
def test_at_most_so_many_are_left_with_both_ends(steps: list[int], most: int) -> None:
    left = thinned(steps, most)
    assert len(left) <= most
    assert set(left) <= set(steps)
    assert len(steps) > most or left == steps
    if steps:
        assert (left[0], left[-1]) == (steps[0], steps[-1])


def test_the_last_point_of_each_series_is_the_one_of_its_highest_step() -> None:
    points = [MetricPoint("b", 2, 0.2, START), MetricPoint("b", 1, 0.1, START), MetricPoint("a", 7, 0.7, START)]
    assert latest(points) == [points[2], points[0]]
    assert latest([]) == []


def test_messages_tell_of_the_losses_first_and_of_no_more_than_there_is_room_for() -> None:
    names = [*(f"a{number:02}" for number in range(20)), "valid_loss", "train_loss"]
    told = [point.series for point in most_telling([MetricPoint(name, 1, 0.5, START) for name in names])]
    assert told == ["train_loss", "valid_loss", *names[: MOST_TOLD - 2]]


def test_a_value_that_json_has_no_number_for_is_text() -> None:
    assert [point_row(MetricPoint("a", 1, value, START))["value"] for value in (0.5, math.nan, -math.inf)] == [
        0.5,
        "nan",
        "-inf",
    ]
