"""How the service stands: well or not, and whether it sees anything."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.doubles import START
from tests.unit.server.running_server import a_health_snapshot

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("changes", "is_well"),
    [
        pytest.param({}, True, id="nothing wrong"),
        pytest.param({"stalled": ["deliver"]}, False, id="a loop stalled"),
        pytest.param({"store_error": "the disk is full"}, False, id="the store out of reach"),
        pytest.param({"has_condition": True}, False, id="a condition raised"),
    ],
)
def test_it_is_well_while_it_sees_records_and_can_speak(changes: dict[str, object], is_well: bool) -> None:
    assert a_health_snapshot(**changes).is_well is is_well


@pytest.mark.parametrize(
    ("watched", "answered_after", "is_blind"),
    [
        pytest.param(1, None, True, id="never answered"),
        pytest.param(1, 9, True, id="answered too long ago"),
        pytest.param(1, 10, False, id="answered within three waits"),
        pytest.param(0, None, False, id="nothing to poll"),
    ],
)
def test_it_is_blind_when_no_source_answers(watched: int, answered_after: int | None, is_blind: bool) -> None:
    answer = None if answered_after is None else START + answered_after * SECOND
    snapshot = a_health_snapshot(watched=watched, last_answers={"openai": answer, "other": None})
    assert snapshot.is_blind(START + 100 * SECOND) is is_blind
