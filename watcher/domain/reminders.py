"""Reminders: a condition that lasts is told again now and then, and told elsewhere once it has lasted for long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.domain.conditions import MISSING, STUCK, Condition, ConditionChange
from watcher.domain.notifications import Planned, plan
from watcher.domain.routing import Route


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
    """How often it was told again since."""
    told: Mapping[str, datetime] | None = None
    """When the last event of it could go out to each notifier that was owed any since it was raised."""
    waiting: frozenset[str] = frozenset()
    """The notifiers that have not got yet what they are owed of it."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """A condition that is to be told again."""

    condition: Condition
    """As it is now."""
    seen: int
    """The `seq` that this is based on; the store refuses it when anything else of the condition was recorded since."""
    at: datetime
    since: datetime
    number: int
    recipients: tuple[Planned, ...]


def wants_reminders(routes: Sequence[Route]) -> bool:
    """Return whether any notifier is to be told of a condition later than when it changes."""
    return any(route.after or route.repeat for route in routes)


def reminder(standing: Standing, found: Condition | None, routes: Sequence[Route], now: datetime) -> Reminder | None:
    """Return what is to be told again, or told elsewhere, of a condition that lasts; None: nothing now.

    `found` is the condition as it was just found, where there is a look for it. Nothing more is owed to a notifier
    that has not got yet what it is owed.
    """
    condition, number = found or standing.condition, standing.reminders + 1
    event = ConditionChange(condition, standing.seq, now, standing.since, number)
    due = [route for route in routes if route.notifier not in standing.waiting and _is_due(route, standing, now)]
    recipients = plan(event, due, now)
    return Reminder(condition, standing.seq, now, standing.since, number, recipients) if recipients else None


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


def _is_due(route: Route, standing: Standing, now: datetime) -> bool:
    last = (standing.told or {}).get(route.notifier)
    if last is None:
        return _has_passed(route.after or route.repeat, standing.since, now)
    return _has_passed(route.repeat, last, now)


def _has_passed(span: timedelta | None, since: datetime, now: datetime) -> bool:
    # A moment to come was written before the host's clock was set back: it must not keep reminders back until then.
    return span is not None and not timedelta() <= now - since < span
