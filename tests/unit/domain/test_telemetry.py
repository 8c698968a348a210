"""Of too many points every other one goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from watcher.domain.telemetry import thinned


@given(st.lists(st.integers(0, 10**6), unique=True).map(sorted), st.integers(2, 50))
def test_at_most_so_many_are_left_with_both_ends(steps: list[int], most: int) -> None:
    left = thinned(steps, most)
    assert len(left) <= most
    assert set(left) <= set(steps)
    assert len(steps) > most or left == steps
    if steps:
        assert (left[0], left[-1]) == (steps[0], steps[-1])
