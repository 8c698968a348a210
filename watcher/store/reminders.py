"""Conditions that last: who was told of them, and their reminders."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, literal, select, update

from watcher.domain.conditions import METRICS, MISSING, ConditionChange
from watcher.domain.deliveries import DeliveryState
from watcher.domain.notifications import Planned, muted
from watcher.domain.polling_policy import MISSING_TOLERATED
from watcher.domain.reminders import Reminder, Standing
from watcher.domain.transitions import next_seq
from watcher.store.database import serialise
from watcher.store.notifications import release, row_of_planned
from watcher.store.rows import CONDITION_EVENT_COLUMNS, condition_change_of, row_of_condition_event
from watcher.store.schema import condition, condition_event, condition_telling, delivery, job
from watcher.store.silences import silences_since

IS_LAST = and_(condition_event.c.condition == condition.c.id, condition_event.c.seq == condition.c.seq)
_ITS_JOB = literal("job/") + job.c.source + "/" + job.c.job_id
_MISSING_JOBS = and_(job.c.missing > MISSING_TOLERATED, condition.c.subject == _ITS_JOB + f"/{MISSING}")
_TRAINING_JOBS = condition.c.subject == _ITS_JOB + f"/{METRICS}"


def standing(connection: Connection, subjects: Collection[str]) -> list[Standing]:
    """Return the raised conditions of these subjects, and of watched jobs that are missing, or train badly."""
    is_watched = and_(job.c.removed_at.is_(None), job.c.due_at.is_not(None))
    chosen = [
        *connection.scalars(select(condition.c.id).where(condition.c.subject.in_(subjects))),
        *connection.scalars(select(condition.c.id).join(job, _MISSING_JOBS).where(is_watched)),
        *connection.scalars(select(condition.c.id).join(job, _TRAINING_JOBS).where(is_watched)),
    ]
    if not chosen:
        return []
    events = select(condition.c.id, condition.c.subject, *CONDITION_EVENT_COLUMNS).join(condition_event, IS_LAST)
    raised = connection.execute(events.where(condition.c.id.in_(chosen), ~condition_event.c.is_good)).all()
    told, waiting = _tellings(connection, chosen), _waiting(connection, chosen)
    counts = _reminders(connection, chosen)
    standing = []
    for number, subject, *event in raised:
        last = condition_change_of(subject, event)
        since = last.since or last.at
        heard, lacks = told.get(number, {}), frozenset(waiting.get(number, ()))
        standing.append(Standing(last.condition, last.seq, since, counts.get((number, since), 0), heard, lacks))
    return standing


def record_reminders(connection: Connection, reminders: Sequence[Reminder]) -> list[ConditionChange]:
    """Record those reminders that nothing has come before, with the deliveries that they owe; return the events."""
    if not reminders:
        return []
    serialise(connection)
    return [event for each in reminders if (event := _record(connection, each))]


def standing_since(connection: Connection, number: int, seq: int) -> datetime | None:
    """Return since when a condition stands; None where its last event has cleared it, or is not known."""
    columns = condition_event.c.at, condition_event.c.raised_at
    is_it = condition_event.c.condition == number, condition_event.c.seq == seq, ~condition_event.c.is_good
    row = connection.execute(select(*columns).where(*is_it)).first()
    since: datetime | None = row and (row.raised_at or row.at)
    return since


def told_of(connection: Connection, number: int) -> set[str]:
    """Return the notifiers that were told of a condition since it was raised, with what was not muted."""
    heard = select(condition_telling.c.notifier).where(condition_telling.c.is_heard, _is_of(number))
    return set(connection.scalars(heard))


def forget_tellings(connection: Connection, number: int) -> None:
    """Note that nobody was told of a condition that is cleared, or raised anew."""
    connection.execute(delete(condition_telling).where(_is_of(number)))


def keep_event(connection: Connection, number: int, event: ConditionChange, recipients: Sequence[Planned]) -> None:
    """Write an event of the condition whose row has this number, and what it owes."""
    connection.execute(insert(condition_event), row_of_condition_event(number, event))
    if not recipients:
        return
    planned = muted(recipients, event, silences_since(connection, [event.at]), event.at)
    release(connection, planned, (delivery.c.condition, number), event.at)
    connection.execute(insert(delivery), [row_of_planned(each, event, condition=number) for each in planned])
    if not event.condition.is_good:
        _note_tellings(connection, number, planned, event.at)


def _record(connection: Connection, reminder: Reminder) -> ConditionChange | None:
    is_as_seen = condition.c.subject == reminder.condition.subject, condition.c.seq == reminder.seen
    number = connection.scalar(select(condition.c.id).where(*is_as_seen))
    if number is None:
        return None
    seq = next_seq(reminder.seen, reminder.at)
    event = ConditionChange(reminder.condition, seq, reminder.at, reminder.since, reminder.number)
    connection.execute(update(condition).where(condition.c.id == number).values(seq=seq))
    keep_event(connection, number, event, reminder.recipients)
    return event


def _note_tellings(connection: Connection, number: int, planned: Iterable[Planned], at: datetime) -> None:
    heard = told_of(connection, number)
    rows = [
        {
            "condition": number,
            "notifier": each.notifier,
            "told_at": max(at, each.hold_until or at),
            "is_heard": each.state is not DeliveryState.MUTED or each.notifier in heard,
        }
        for each in planned
    ]
    its = condition_telling.c.notifier.in_([row["notifier"] for row in rows])
    connection.execute(delete(condition_telling).where(_is_of(number), its))
    connection.execute(insert(condition_telling), rows)


def _reminders(connection: Connection, numbers: Collection[int]) -> dict[tuple[int, datetime], int]:
    """Return how often each condition was told again, by when it was raised."""
    columns = condition_event.c.condition, condition_event.c.raised_at, func.max(condition_event.c.reminder)
    is_meant = condition_event.c.condition.in_(numbers), condition_event.c.reminder.is_not(None)
    rows = connection.execute(select(*columns).where(*is_meant).group_by(*columns[:2]))
    return {(number, raised_at): count for number, raised_at, count in rows}


def _tellings(connection: Connection, numbers: Collection[int]) -> dict[int, dict[str, datetime]]:
    """Return for each condition when the last of it could go out, by notifier."""
    found: dict[int, dict[str, datetime]] = {}
    for row in connection.execute(select(condition_telling).where(condition_telling.c.condition.in_(numbers))):
        found.setdefault(row.condition, {})[row.notifier] = row.told_at
    return found


def _waiting(connection: Connection, numbers: Collection[int]) -> dict[int, set[str]]:
    """Return for each condition the notifiers that have something of it still to come."""
    is_waiting = delivery.c.condition.in_(numbers), delivery.c.state == DeliveryState.PENDING.value
    found: dict[int, set[str]] = {}
    for row in connection.execute(select(delivery.c.condition, delivery.c.notifier).where(*is_waiting)):
        found.setdefault(row.condition, set()).add(row.notifier)
    return found


def _is_of(number: int) -> ColumnElement[bool]:
    return condition_telling.c.condition == number
