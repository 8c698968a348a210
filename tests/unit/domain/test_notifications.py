"""Which notifications an event gives."""

from __future__ import annotations

from datetime import time, timedelta

import pytest

from tests.doubles import START, a_transition, job_in, planned
from watcher.domain.conditions import ConditionChange, found_condition
from watcher.domain.deliveries import DeliveryState
from watcher.domain.holding import Holding, QuietHours
from watcher.domain.notifications import Planned, at_once, muted, plan, plan_end
from watcher.domain.routing import Route
from watcher.domain.silences import Silence
from watcher.domain.states import JobState

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
        pytest.param(Silence("outage", START + HOUR, source="openai"), True, id="its source is that of the job"),
        pytest.param(Silence("outage", START + HOUR, source="azure"), False, id="another source"),
        pytest.param(Silence("7", START + HOUR, reason="new rack"), True, id="its reason is told"),
    ],
)
def test_what_a_silence_mutes_is_recorded_and_says_so(silence: Silence, is_muted: bool) -> None:
    reason = "silence 7: new rack" if silence.reason else f"silence {silence.name}"
    expected = (Planned("all", DeliveryState.MUTED, reason=reason),) if is_muted else planned("all")

    assert muted(plan(a_transition(), [Route("all")], START), a_transition(), [silence], START) == expected


def test_what_is_held_back_goes_out_when_its_time_has_come() -> None:
    route = Route("all", holding=Holding(batch=HOUR))
    (held,) = plan(a_transition(), [route], START)

    assert (held.hold_until, held.state, held.releases) == (START + HOUR, DeliveryState.PENDING, False)
    assert held.group_key == "batch 2026-11-24T13:00:00+00:00"
    assert held.reason == "waits for others, to be told together"


def test_what_may_not_wait_takes_along_what_waits_for_the_same_notifier() -> None:
    quiet = QuietHours(time(11), time(13), exempt=frozenset({"failed"}))
    routes = [Route("night", holding=Holding(quiet=quiet)), Route("always")]
    assert plan(a_transition(status="failed"), routes, START) == (Planned("night", releases=True), Planned("always"))


def test_what_ends_soon_holds_nothing_back() -> None:
    assert at_once([Route("all", holding=Holding(batch=HOUR))]) == [Route("all")]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(None, ["people", "program", "other"], id="no transition"),
        pytest.param("running", ["program", "other"], id="people need no more, a program does"),
        pytest.param("succeeded", ["other"], id="nobody needs more who hears of the end"),
    ],
)
def test_who_hears_of_the_transition_needs_not_hear_that_the_trouble_is_over(
    status: str | None, expected: list[str]
) -> None:
    routes = [
        Route("people"),
        Route("program", holding=Holding(is_grouped=False)),
        Route("other", statuses=frozenset({"cancelled"})),
    ]
    end = ConditionChange(found_condition(job_in(status or "running")), 1, START)
    transition = a_transition(status=status, state=JobState(status)) if status else None

    assert [each.notifier for each in plan_end(end, transition, routes, START)] == expected
