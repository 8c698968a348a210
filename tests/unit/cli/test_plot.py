"""A curve is drawn in the width there is, whatever its values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import START
from watcher.cli.plot import ROWS, plot
from watcher.domain.telemetry import MetricPoint


def curve(*values: float) -> list[MetricPoint]:
    return [MetricPoint("train_loss", step, value, START) for step, value in enumerate(values, 1)]


def test_a_falling_loss_falls() -> None:
    lines = plot("train_loss", curve(*(2 - step / 50 for step in range(100))), 40)
    assert lines[0] == "train_loss"
    assert lines[1].startswith("   2 ▇")
    assert lines[ROWS].startswith("0.02 █")
    assert lines[ROWS][-1] == "▁"
    assert lines[-1].strip() == "step 1 to 100, last 0.02"
    assert all(len(line) <= 40 for line in lines)


def test_few_points_take_the_whole_width() -> None:
    lines = plot("train_loss", curve(2, 1, 1.5), 40)
    assert lines[1] == "2 " + "█" * 13 + " " * 25
    assert lines[ROWS] == "1 " + "█" * 13 + "▁" * 13 + "█" * 12


def test_what_is_no_number_is_counted_instead() -> None:
    assert plot("loss", curve(math.nan, 1, math.inf), 80)[-1] == "2 of 3 values are NaN or infinite"
    assert plot("loss", curve(math.nan), 80) == ["loss", "1 of 1 values are NaN or infinite"]


@given(st.lists(st.floats(), min_size=1), st.integers(20, 200))
def test_any_values_fit_into_the_width(values: list[float], width: int) -> None:
    assert all(len(line) <= width for line in plot("loss", curve(*values), width))


@pytest.mark.parametrize("step", [2**62, 10])
def test_steps_may_lie_far_apart(step: int) -> None:
    assert len(plot("loss", [*curve(1, 2), MetricPoint("loss", step, 3, START)], 40)) == ROWS + 2
