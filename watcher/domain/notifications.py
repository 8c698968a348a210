"""Which notifications an event gives, when they may go out, and which are muted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from watcher.domain.conditions import ConditionChange
from watcher.domain.deliveries import DeliveryState
from watcher.domain.events import Event
from watcher.domain.holding import NOTHING_HELD
from watcher.domain.routing import Route, RouteMatch, match_route
from watcher.domain.silences import Silence, first_that_mutes
from watcher.domain.states import is_terminal
from watcher.domain.transitions import Transition


@dataclass(frozen=True, slots=True)
class Planned:
    """An event planned for one notifier."""

    notifier: str
    state: DeliveryState = DeliveryState.PENDING
    """PENDING, or MUTED."""
    hold_until: datetime | None = None
    """It is not sent before then."""
    group_key: str | None = None
    """What is owed to a notifier under one key is sent as one message."""
    reason: str | None = None
    """Why it is held back or muted."""
    releases: bool = False
    """Whether what its subject has waiting there goes out now as well: it may not wait, and must not overtake."""
    if_told: bool = False
    """Whether it is owed only where the notifier was told of the condition before, since that was raised."""


def plan(event: Event, routes: Sequence[Route], now: datetime) -> tuple[Planned, ...]:
    """Return which notifiers get the event, and when. Pure; the outcome is recorded in the transaction of the event."""
    return tuple(_planned(route, event, now) for route in routes if match_route(route, event) is RouteMatch.WANTED)


def plan_end(
    end: ConditionChange, transition: Transition | None, routes: Sequence[Route], now: datetime
) -> tuple[Planned, ...]:
    """Return which notifiers are told that the trouble of a job is over, besides what they hear of its transition.

    Who hears that the job has ended needs no more. While it goes on, people need no more either, but receivers that
    take each event by itself, such as programs, do: it closes what the trouble has opened there.
    """
    return plan(end, [route for route in routes if not (transition and _is_told(transition, route))], now)


def muted(planned: Sequence[Planned], event: Event, silences: Sequence[Silence], now: datetime) -> tuple[Planned, ...]:
    """Return what becomes of a plan where these silences hold: it names the one that mutes it."""
    silence = first_that_mutes(event, silences, now)
    if silence is None:
        return tuple(planned)
    return tuple(Planned(each.notifier, DeliveryState.MUTED, reason=silence.title) for each in planned)


def at_once(routes: Sequence[Route]) -> list[Route]:
    """Return the routes without what keeps events back: for what ends soon, and for what cannot be recorded."""
    return [replace(route, holding=NOTHING_HELD, after=None) for route in routes]


def _is_told(transition: Transition, route: Route) -> bool:
    is_enough = is_terminal(transition.state) or route.holding.is_grouped
    return is_enough and match_route(route, transition) is RouteMatch.WANTED


def _planned(route: Route, event: Event, now: datetime) -> Planned:
    hold = route.holding.hold(event, now)
    if_told = route.after is not None and isinstance(event, ConditionChange) and not event.reminder
    if hold is None:
        return Planned(route.notifier, releases=bool(route.holding), if_told=if_told)
    return Planned(route.notifier, DeliveryState.PENDING, hold.until, hold.group_key, hold.reason, if_told=if_told)
