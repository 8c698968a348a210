"""Which notifications an event gives."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.doubles import START, a_transition, planned
from watcher.domain.deliveries import DeliveryState
from watcher.domain.notifications import Planned, Silence, plan
from watcher.domain.routing import Route

HOUR = timedelta(hours=1)


def test_an_event_goes_to_the_notifiers_that_want_it_in_their_order() -> None:
    routes = [Route("all"), Route("failures", statuses=frozenset({"failed"})), Route("too")]

    assert plan(a_transition(), routes, START) == planned("all", "too")


@pytest.mark.parametrize(
    ("silence", "is_muted"),
    [
        pytest.param(Silence("maintenance", START + HOUR, {"team": "nlp"}), True, id="its labels are those of the job"),
        pytest.param(Silence("all", START + HOUR), True, id="it has no labels"),
        pytest.param(Silence("maintenance", START + HOUR, {"team": "vision"}), False, id="other labels"),
        pytest.param(Silence("maintenance", START), False, id="it is over"),
    ],
)
def test_what_a_silence_mutes_is_recorded_and_says_so(silence: Silence, is_muted: bool) -> None:
    muted = (Planned("all", DeliveryState.MUTED, reason=f"silence {silence.name}"),)

    found = plan(a_transition(), [Route("all")], START, silences=[silence])
    assert found == (muted if is_muted else planned("all"))


def test_what_is_held_back_goes_out_when_its_time_has_come() -> None:
    until = START + HOUR
    (held,) = plan(a_transition(), [Route("all")], START, calendar=lambda _route, _event, _now: until)

    assert (held.hold_until, held.state) == (until, DeliveryState.PENDING)
