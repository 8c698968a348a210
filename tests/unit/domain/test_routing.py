"""Who hears of what, and why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.doubles import job_in, observation
from watcher.domain.routing import FirstSeen, Route, RouteMatch, match_route
from watcher.domain.transitions import Transition, detect


def transition(before: str | None, after: str, **labels: str) -> Transition:
    found = detect(job_in(before)._replace(labels=labels), observation(after))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("wish", "status", "verdict"),
    [
        (FirstSeen.TERMINAL, "running", RouteMatch.FIRST_SIGHT),
        (FirstSeen.TERMINAL, "failed", RouteMatch.WANTED),
        (FirstSeen.ALWAYS, "running", RouteMatch.WANTED),
        (FirstSeen.NEVER, "failed", RouteMatch.FIRST_SIGHT),
    ],
)
def test_a_first_sight_is_told_as_the_notifier_wishes(wish: FirstSeen, status: str, verdict: RouteMatch) -> None:
    assert match_route(Route("n", first_seen=wish), transition(None, status)) is verdict


@pytest.mark.parametrize("wish", FirstSeen)
def test_what_is_no_first_sight_is_told_whatever_the_wish(wish: FirstSeen) -> None:
    assert match_route(Route("n", first_seen=wish), transition("queued", "running")) is RouteMatch.WANTED


def test_statuses_and_labels_select() -> None:
    route = Route("n", statuses=frozenset({"succeeded"}), labels={"team": "nlp"})

    assert match_route(route, transition("running", "succeeded", team="nlp", tier="1")) is RouteMatch.WANTED
    assert match_route(route, transition("running", "failed", team="nlp")) is RouteMatch.OTHER_STATUS
    assert match_route(route, transition("running", "succeeded", team="vision")) is RouteMatch.OTHER_LABELS
    assert match_route(route, transition("running", "succeeded")) is RouteMatch.OTHER_LABELS


def test_a_route_may_name_a_state_or_the_services_own_word() -> None:
    compressing = replace(transition("queued", "running"), status="compressing")

    for word in ("compressing", "running"):
        assert match_route(Route("n", statuses=frozenset({word})), compressing) is RouteMatch.WANTED
    assert match_route(Route("n", statuses=frozenset({"validating"})), compressing) is RouteMatch.OTHER_STATUS
