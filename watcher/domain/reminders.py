"""Reminders: a condition that lasts is told again now and then, and told elsewhere once it has lasted for long."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watcher.domain.conditions import MISSING, STUCK, Condition, ConditionChange
from watcher.domain.notifications import Planned, plan
from watcher.domain.routing import Route
from watcher.domain.transitions import next_seq

Elapsed = Callable[[datetime], timedelta]
"""Returns how long ago a moment was."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A condition that was raised and lasts, as it is recorded."""

    condition: Condition
    """As it was told last."""
    seq: int
    """That of its last event."""
    since: datetime
    """When it was raised."""
    reminders: int = 0
    """How often those that were told were reminded since."""
    told: Mapping[str, datetime] = field(default_factory=dict)
    """When the last event of it could go out to each notifier that was owed any since it was raised."""
    waiting: frozenset[str] = frozenset()
    """The notifiers that have not got yet what they are owed of it."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """A condition that is to be told again, or told to others."""

    condition: Condition
    """As it is now."""
    seen: int
    """The `seq` that this is based on; the store refuses it when anything else of the condition was recorded since."""
    at: datetime
    since: datetime
    number: int
    """How often it is told again by now; 0: those who get it have not heard of it."""
    recipients: tuple[Planned, ...]


def wants_reminders(routes: Sequence[Route]) -> bool:
    """Return whether any notifier is to be told of a condition later than when it changes."""
    return any(route.after or route.repeat for route in routes)


def reminders(
    standing: Standing, found: Condition | None, routes: Sequence[Route], now: datetime, elapsed: Elapsed | None = None
) -> list[Reminder]:
    """Return what is to be told again, and what is to be told elsewhere, of a condition that lasts.

    `found` is the condition as it was just found, where there is a look for it; `elapsed` returns how long ago a moment
    was, also after the host's clock was set. Nothing more is owed to a notifier that has not got yet what it is owed.
    To those that have not heard of it, it is news; the others are reminded by an event of its own.
    """
    condition, ago, seen = found or standing.condition, elapsed or (lambda at: now - at), standing.seq
    told: list[Reminder] = []
    due = [route for route in routes if route.notifier not in standing.waiting and _is_due(route, standing, ago)]
    for number in (0, standing.reminders + 1):
        event = ConditionChange(condition, seen, now, standing.since, number)
        meant = [route for route in due if (route.notifier in standing.told) == bool(number)]
        if recipients := plan(event, meant, now):
            told.append(Reminder(condition, seen, now, standing.since, number, recipients))
            seen = next_seq(seen, now)
    return told


def is_same_trouble(subject: str, state: str, before: str) -> bool:
    """Return whether a state of a condition, which is bad, goes on with what was bad before.

    A job that is missing is so anew each time, and one that is stuck is so as long as it stays as it is.
    """
    aspect = subject.rpartition("/")[2] if subject.startswith("job/") else None
    if aspect == MISSING:
        return state == before
    if aspect == STUCK:
        return state.rpartition(" ")[0] == before.rpartition(" ")[0]
    return True


def _is_due(route: Route, standing: Standing, ago: Elapsed) -> bool:
    last = standing.told.get(route.notifier)
    if last is None:
        return _has_passed(route.after or route.repeat, ago(standing.since))
    return _has_passed(route.repeat, ago(last))


def _has_passed(span: timedelta | None, elapsed: timedelta) -> bool:
    # A moment to come was written before the host's clock was set back: it must not keep reminders back until then.
    return span is not None and not timedelta() <= elapsed < span
