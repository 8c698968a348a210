"""What is offered fits into the terminal, the most telling columns first."""

from __future__ import annotations

import pytest

from watcher.cli.choice import listed
from watcher.cli.text_width import width_of

OFFERS = (
    ("support-bot", "ftjob-abc123", "running", "created 24 Nov 12:00"),
    ("ftjob-of-no-name", "", "queued", "created 24 Nov 11:00"),
)


def test_all_is_shown_where_there_is_room() -> None:
    assert listed(OFFERS, 80) == [
        "  1  support-bot       ftjob-abc123  running  created 24 Nov 12:00",
        "  2  ftjob-of-no-name                queued   created 24 Nov 11:00",
    ]


def test_names_states_and_the_ends_of_ids_are_left_where_there_is_none() -> None:
    assert listed(OFFERS, 40) == [
        "  1  support-bot       …-abc123  running",
        "  2  ftjob-of-no-name            queued",
    ]


@pytest.mark.parametrize("width", range(12, 90))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert all(width_of(line) <= width for line in listed([*OFFERS, ("漢字" * 20, "x" * 60, "running", "")], width))
