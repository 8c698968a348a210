"""Which notifications an event gives, when they may go out, and which are muted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from watcher.domain.deliveries import DeliveryState
from watcher.domain.events import Event
from watcher.domain.holding import NOTHING_HELD
from watcher.domain.routing import Route, RouteMatch, match_route


@dataclass(frozen=True, slots=True)
class Silence:
    """Mutes events for a while: they are recorded as muted, and can be listed."""

    name: str
    until: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    """The event must carry all of these."""

    def mutes(self, event: Event, now: datetime) -> bool:
        """Return whether the event is muted now."""
        return now < self.until and all(event.labels.get(label) == value for label, value in self.labels.items())


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


Plan = Callable[[Event, datetime], tuple[Planned, ...]]
"""Returns which notifiers get an event, and when."""


def plan(event: Event, routes: Sequence[Route], now: datetime, silences: Sequence[Silence] = ()) -> tuple[Planned, ...]:
    """Return which notifiers get the event, and when. Pure; the outcome is recorded in the transaction of the event."""
    silence = next((each for each in silences if each.mutes(event, now)), None)
    return tuple(
        _planned(route, event, now, silence) for route in routes if match_route(route, event) is RouteMatch.WANTED
    )


def at_once(routes: Sequence[Route]) -> list[Route]:
    """Return the routes without what keeps events back: for what ends soon, and for what cannot be recorded."""
    return [replace(route, holding=NOTHING_HELD) for route in routes]


def _planned(route: Route, event: Event, now: datetime, silence: Silence | None) -> Planned:
    if silence:
        return Planned(route.notifier, DeliveryState.MUTED, reason=f"silence {silence.name}")
    hold = route.holding.hold(event, now)
    if hold is None:
        return Planned(route.notifier, releases=bool(route.holding))
    return Planned(route.notifier, hold_until=hold.until, group_key=hold.group_key, reason=hold.reason)
