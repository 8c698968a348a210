"""Which notifications an event gives, when they may go out, and which are muted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from watcher.domain.deliveries import DeliveryState
from watcher.domain.events import Event
from watcher.domain.routing import Route, RouteMatch, match_route

Calendar = Callable[[Route, Event, datetime], datetime | None]
"""Says until when an event is to be held back from a route's notifier; None for not at all."""


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


def never_held(_route: Route, _event: Event, _now: datetime) -> datetime | None:
    """Hold nothing back."""
    return None


def plan(
    event: Event,
    routes: Sequence[Route],
    now: datetime,
    *,
    silences: Sequence[Silence] = (),
    calendar: Calendar = never_held,
) -> tuple[Planned, ...]:
    """Return which notifiers get the event, and when. Pure; the outcome is recorded in the transaction of the event."""
    silence = next((each for each in silences if each.mutes(event, now)), None)
    return tuple(
        _planned(route, event, now, silence, calendar)
        for route in routes
        if match_route(route, event) is RouteMatch.WANTED
    )


def _planned(route: Route, event: Event, now: datetime, silence: Silence | None, calendar: Calendar) -> Planned:
    if silence:
        return Planned(route.notifier, DeliveryState.MUTED, reason=f"silence {silence.name}")
    hold_until = calendar(route, event, now)
    return Planned(route.notifier, hold_until=hold_until, reason="held back" if hold_until else None)
