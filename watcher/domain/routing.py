"""Which notifiers want a transition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from watcher.domain.jobs import is_terminal
from watcher.domain.transitions import Reason, Transition


class FirstSeen(StrEnum):
    """Which first sights of a job a notifier wants to hear of."""

    TERMINAL = "terminal"
    ALWAYS = "always"
    NEVER = "never"


class Verdict(StrEnum):
    """Whether a notifier gets a transition, and if not, why not."""

    WANTED = "wanted"
    FIRST_SIGHT = "first_sight"
    OTHER_STATUS = "other_status"
    OTHER_LABELS = "other_labels"


@dataclass(frozen=True, slots=True)
class Route:
    """The transitions that one notifier wants."""

    notifier: str
    statuses: frozenset[str] | None = None
    """None: every status."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The job must carry all of these."""
    first_seen: FirstSeen = FirstSeen.TERMINAL


def judge(route: Route, transition: Transition) -> Verdict:
    """Say whether the route's notifier gets the transition."""
    if any(transition.labels.get(label) != value for label, value in route.labels.items()):
        return Verdict.OTHER_LABELS
    if route.statuses is not None and transition.status not in route.statuses:
        return Verdict.OTHER_STATUS
    if transition.reason is Reason.FIRST_SEEN and not _wants_first_sight(route.first_seen, transition.status):
        return Verdict.FIRST_SIGHT
    return Verdict.WANTED


def owed(routes: Iterable[Route], transition: Transition) -> tuple[str, ...]:
    """Name the notifiers that get the transition."""
    return tuple(route.notifier for route in routes if judge(route, transition) is Verdict.WANTED)


def _wants_first_sight(wish: FirstSeen, status: str) -> bool:
    return wish is FirstSeen.ALWAYS or (wish is FirstSeen.TERMINAL and is_terminal(status))
