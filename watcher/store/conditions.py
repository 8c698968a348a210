"""Conditions: the last recorded state of each, and the events of their changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from watcher.domain.conditions import OWN_SOURCE, Condition, ConditionChange, RecordedCondition, is_news
from watcher.domain.jobs import JobKey
from watcher.domain.reminders import is_same_trouble
from watcher.domain.slices import slices
from watcher.domain.transitions import next_seq
from watcher.engine.ports import Finding
from watcher.store.database import serialise
from watcher.store.jobs import rows_by_key
from watcher.store.reminders import IS_LAST, forget_tellings, keep_event, standing_since, told_of
from watcher.store.rows import row_of_condition_event
from watcher.store.schema import condition, condition_event, delivery, job, transition

_SUBJECTS_PER_STATEMENT = 500
"""How many subjects one statement looks up; databases limit the parameters of a statement."""
_RECORDED = (condition.c.state, condition.c.seq, condition.c.good_at, condition.c.good_by)
_STANDING = select(condition.c.subject).join(condition_event, IS_LAST).where(~condition_event.c.is_good)


def recorded_conditions(connection: Connection, subjects: Sequence[str]) -> dict[str, RecordedCondition]:
    """Return how these conditions were recorded last; those that never were are left out."""
    rows = connection.execute(select(condition.c.subject, *_RECORDED).where(condition.c.subject.in_(subjects)))
    return {subject: RecordedCondition(*rest) for subject, *rest in rows}


def record_findings(connection: Connection, findings: Sequence[Finding], watcher: str) -> list[ConditionChange]:
    """Record those findings that are news, with the deliveries that they owe; return the events."""
    if not findings:
        return []
    # Jobs first, as whoever moves one locks it first, so that neither waits for the other for ever.
    unmoved = _unmoved(connection, {finding.job.key: finding.job.seq for finding in findings if finding.job})
    present = [finding for finding in findings if finding.job is None or finding.job.key in unmoved]
    serialise(connection)  # conditions change seldom: replicas may wait for each other
    return [event for finding in present if (event := _record(connection, finding, watcher))]


def without_needless(connection: Connection, findings: Sequence[Finding]) -> list[Finding]:
    """Leave out the ends of what does not stand. Most jobs are in no trouble: nothing is locked to find that out."""
    ends = [finding.condition.subject for finding in findings if finding.condition.is_good]
    standing: set[str] = set()
    for part in slices(ends, _SUBJECTS_PER_STATEMENT):
        standing.update(connection.scalars(_STANDING.where(condition.c.subject.in_(part))))
    return [each for each in findings if not each.condition.is_good or each.condition.subject in standing]


def note_good(connection: Connection, subjects: Sequence[str], watcher: str, now: datetime) -> None:
    """Note that this watcher has found all well with these subjects."""
    serialise(connection)
    known = set(connection.scalars(select(condition.c.subject).where(condition.c.subject.in_(subjects))))
    values = {"good_at": now, "good_by": watcher}
    connection.execute(update(condition).where(condition.c.subject.in_(known)).values(values))
    if new := [{"subject": subject, "seq": 0, **values} for subject in subjects if subject not in known]:
        connection.execute(insert(condition), new)


def absorb_conditions_of_older_versions(connection: Connection) -> int:
    """Turn what older versions keep as jobs of the source `@watcher` into conditions; return how many.

    They may go on to write such rows while they run beside this one; one without an event yet is about to get it.
    """
    rows = connection.execute(
        select(job.c.id, job.c.job_id, job.c.status, job.c.seq).where(job.c.source == OWN_SOURCE, job.c.seq > 0)
    ).all()
    for number, subject, state, seq in rows:
        known = connection.execute(
            select(condition.c.id, condition.c.seq).where(condition.c.subject == subject)
        ).first()
        if known is None:
            values = {"subject": subject, "state": state, "seq": seq}
            kept: int = connection.execute(insert(condition).values(values).returning(condition.c.id)).scalar_one()
        else:
            kept = known.id
            if seq > known.seq:
                connection.execute(update(condition).where(condition.c.id == kept).values(state=state, seq=seq))
        _absorb_events(connection, number, kept, subject)
        connection.execute(delete(job).where(job.c.id == number))
    return len(rows)


def _unmoved(connection: Connection, seen: Mapping[JobKey, int]) -> set[JobKey]:
    """Return the jobs that are still at the `seq` given; until this transaction ends nobody can move them."""
    numbers = {int(row.id): key for key, row in rows_by_key(connection, seen).items()} if seen else {}
    unmoved = set()
    for number, key in sorted(numbers.items()):  # in one order for all processes
        is_it = job.c.id == number, job.c.seq == seen[key]
        if connection.execute(select(job.c.id).where(*is_it).with_for_update(read=True)).first():
            unmoved.add(key)
    return unmoved


def _record(connection: Connection, finding: Finding, watcher: str) -> ConditionChange | None:
    found = finding.condition
    row = connection.execute(select(condition.c.id, *_RECORDED).where(condition.c.subject == found.subject)).first()
    recorded = RecordedCondition(*row[1:]) if row else RecordedCondition(None)
    if not is_news(found, recorded if row else None, watcher, finding.at):
        return None
    since = standing_since(connection, row.id, recorded.seq) if row else None
    is_same = is_same_trouble(found.subject, found.state, recorded.state or "")
    goes_on = since is not None and not found.is_good and is_same
    change = ConditionChange(found, next_seq(recorded.seq, finding.at), finding.at, since if goes_on else None)
    values = {"state": found.state, "seq": change.seq}
    if row:
        number: int = row.id
        connection.execute(update(condition).where(condition.c.id == number).values(values))
    else:
        statement = insert(condition).values(subject=found.subject, **values).returning(condition.c.id)
        number = connection.execute(statement).scalar_one()
    told = told_of(connection, number) if goes_on or found.is_good else set()
    if not goes_on:
        forget_tellings(connection, number)
    recipients = [each for each in finding.recipients if not each.if_told or each.notifier in told]
    keep_event(connection, number, change, recipients)
    return change


def _absorb_events(connection: Connection, job_number: int, number: int, subject: str) -> None:
    columns = (
        transition.c.seq,
        transition.c.status,
        transition.c.observed_at,
        transition.c.labels,
        transition.c.document,
    )
    for seq, state, at, labels, document in connection.execute(
        select(*columns).where(transition.c.job == job_number)
    ).all():
        is_there = select(condition_event.c.seq).where(
            condition_event.c.condition == number, condition_event.c.seq == seq
        )
        if connection.execute(is_there).first() is None:
            change = replace(_change_of(subject, seq, state, at, document), at=at)
            connection.execute(insert(condition_event), {**row_of_condition_event(number, change), "labels": labels})
        is_its = (delivery.c.job == job_number) & (delivery.c.seq == seq)
        connection.execute(update(delivery).where(is_its).values(job=None, condition=number))
    connection.execute(delete(transition).where(transition.c.job == job_number))


def _change_of(subject: str, seq: int, state: str, at: datetime, document: str) -> ConditionChange:
    told: dict[str, Any] = json.loads(document)
    facts = tuple((label, value) for label, value in told["facts"])
    return ConditionChange(
        Condition(subject, state, told["type"], told["title"], told["good"], facts, told["data"]), seq, at
    )
