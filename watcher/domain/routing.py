"""Which notifiers want an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from watcher.domain.conditions import ConditionChange, notifier_subject
from watcher.domain.events import Event, job_name_of, source_of
from watcher.domain.holding import NOTHING_HELD, Holding
from watcher.domain.jobs import Job
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
    METRICS = "metrics"
    """How jobs train: a loss that is no number or diverges, a run that stalls. The source has to show progress."""
    WATCHER = "watcher"
    """The watcher's own conditions: sources and notifiers that it cannot reach, jobs that are stuck or missing."""


USUAL_EVENTS = frozenset({Events.JOBS, Events.WATCHER})
"""What a notifier hears of unless it says otherwise."""


class RouteMatch(StrEnum):
    """Whether a notifier gets an event, and if not, why not."""

    WANTED = "wanted"
    FIRST_SIGHT = "first_sight"
    OTHER_STATUS = "other_status"
    OTHER_LABELS = "other_labels"
    OTHER_EVENTS = "other_events"
    OTHER_SOURCES = "other_sources"
    OTHER_NAMES = "other_names"
    ITS_OWN_FAILURE = "its_own_failure"


@dataclass(frozen=True, slots=True)
class Route:
    """The events that one notifier wants."""

    notifier: str
    statuses: frozenset[str] | None = None
    """None: every status."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The job must carry all of these."""
    sources: tuple[str, ...] = ()
    """Patterns: the event is about a source, or a job of one, that matches any of them. Empty: any source."""
    names: tuple[str, ...] = ()
    """Patterns: the name of the job, or its id where it has none, matches any of them. Empty: any job."""
    first_seen: FirstSeen = FirstSeen.TERMINAL
    events: frozenset[Events] = USUAL_EVENTS
    holding: Holding = NOTHING_HELD
    """What keeps events back from it."""
    after: timedelta | None = None
    """It hears of a condition only when that has lasted for so long, and of its end only if it has heard of it."""
    repeat: timedelta | None = None
    """How often it is reminded of a condition that lasts; None: never."""


def match_route(route: Route, event: Event) -> RouteMatch:
    """Return whether the route's notifier gets the event."""
    if isinstance(event, ConditionChange):
        return _match_condition(route, event)
    if Events.JOBS not in route.events:
        return RouteMatch.OTHER_EVENTS
    if elsewhere := _is_elsewhere(route, event):
        return elsewhere
    if route.statuses is not None and not any(is_meant(word, event.status, event.state) for word in route.statuses):
        return RouteMatch.OTHER_STATUS
    if event.reason is Reason.FIRST_SEEN and not _wants_first_sight(route.first_seen, event.state):
        return RouteMatch.FIRST_SIGHT
    return RouteMatch.WANTED


def wants_job(route: Route, job: Job) -> bool:
    """Return whether the route is about the job, in whatever status."""
    return Events.JOBS in route.events and not _is_off(route, job.key.source, job.name or job.key.id, job.labels)


def _match_condition(route: Route, event: ConditionChange) -> RouteMatch:
    kind = Events.METRICS if event.condition.is_about_metrics else Events.WATCHER
    if kind not in route.events:
        return RouteMatch.OTHER_EVENTS
    if event.subject == notifier_subject(route.notifier):
        return RouteMatch.ITS_OWN_FAILURE
    return _is_elsewhere(route, event) or RouteMatch.WANTED


def _is_elsewhere(route: Route, event: Event) -> RouteMatch | None:
    """Return why an event is told elsewhere. What is said of a job goes where its transitions go.

    What is said of a source has no labels and no name, what is said of a notifier has no source either.
    """
    return _is_off(route, source_of(event), job_name_of(event), event.labels)


def _is_off(route: Route, source: str | None, name: str | None, labels: Mapping[str, str]) -> RouteMatch | None:
    if name and any(labels.get(label) != value for label, value in route.labels.items()):
        return RouteMatch.OTHER_LABELS
    if source and route.sources and not _matches_any(source, route.sources):
        return RouteMatch.OTHER_SOURCES
    if name and route.names and not _matches_any(name, route.names):
        return RouteMatch.OTHER_NAMES
    return None


def _matches_any(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _wants_first_sight(wish: FirstSeen, state: JobState) -> bool:
    return wish is FirstSeen.ALWAYS or (wish is FirstSeen.TERMINAL and is_terminal(state))
