"""Which notifiers want an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from watcher.domain.conditions import ConditionChange, notifier_subject
from watcher.domain.events import Event
from watcher.domain.holding import NOTHING_HELD, Holding
from watcher.domain.states import JobState, is_meant, is_terminal
from watcher.domain.transitions import Reason


class FirstSeen(StrEnum):
    """Which first sights of a job a notifier wants to hear of."""

    TERMINAL = "terminal"
    ALWAYS = "always"
    NEVER = "never"


class Events(StrEnum):
    """What there is to hear of."""

    JOBS = "jobs"
    """The transitions of jobs."""
    WATCHER = "watcher"
    """The watcher's own conditions: sources and notifiers that it cannot reach, jobs that are stuck or missing."""


class RouteMatch(StrEnum):
    """Whether a notifier gets an event, and if not, why not."""

    WANTED = "wanted"
    FIRST_SIGHT = "first_sight"
    OTHER_STATUS = "other_status"
    OTHER_LABELS = "other_labels"
    OTHER_EVENTS = "other_events"
    ITS_OWN_FAILURE = "its_own_failure"


@dataclass(frozen=True, slots=True)
class Route:
    """The events that one notifier wants."""

    notifier: str
    statuses: frozenset[str] | None = None
    """None: every status."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The job must carry all of these."""
    first_seen: FirstSeen = FirstSeen.TERMINAL
    events: frozenset[Events] = frozenset(Events)
    holding: Holding = NOTHING_HELD
    """What keeps events back from it."""


def match_route(route: Route, event: Event) -> RouteMatch:
    """Return whether the route's notifier gets the event."""
    if isinstance(event, ConditionChange):
        return _match_condition(route, event)
    if Events.JOBS not in route.events:
        return RouteMatch.OTHER_EVENTS
    if _lacks_labels(route, event):
        return RouteMatch.OTHER_LABELS
    if route.statuses is not None and not any(is_meant(word, event.status, event.state) for word in route.statuses):
        return RouteMatch.OTHER_STATUS
    if event.reason is Reason.FIRST_SEEN and not _wants_first_sight(route.first_seen, event.state):
        return RouteMatch.FIRST_SIGHT
    return RouteMatch.WANTED


def _match_condition(route: Route, event: ConditionChange) -> RouteMatch:
    if Events.WATCHER not in route.events:
        return RouteMatch.OTHER_EVENTS
    if event.subject == notifier_subject(route.notifier):
        return RouteMatch.ITS_OWN_FAILURE
    # What is said of a job goes where its transitions go; what is said of a source or a notifier has no labels.
    is_elsewhere = event.condition.is_about_job and _lacks_labels(route, event)
    return RouteMatch.OTHER_LABELS if is_elsewhere else RouteMatch.WANTED


def _lacks_labels(route: Route, event: Event) -> bool:
    return any(event.labels.get(label) != value for label, value in route.labels.items())


def _wants_first_sight(wish: FirstSeen, state: JobState) -> bool:
    return wish is FirstSeen.ALWAYS or (wish is FirstSeen.TERMINAL and is_terminal(state))
