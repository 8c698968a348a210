"""Watched jobs: which there are, and how each stands."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from watcher.domain.jobs import Job, JobKey, JobSpec
from watcher.domain.milestones import with_true_times
from watcher.domain.overview import UNSEEN
from watcher.domain.states import JobState
from watcher.domain.transitions import Transition
from watcher.store.database import serialise
from watcher.store.elements import each_of
from watcher.store.job_state import HAS_ENDED, STATE, is_in
from watcher.store.metric_points import milestones_of
from watcher.store.origins import has_origin, with_origin, without_origin
from watcher.store.rows import JOB_COLUMNS, TRANSITION_COLUMNS, job_of, text_of_labels, transition_of
from watcher.store.schema import job, transition

_IS_NUMBERED = job.c.id.in_(each_of("numbers", job.c.id.type))
_IS_NAMED = and_(job.c.source == bindparam("of_source"), job.c.job_id.in_(each_of("ids", job.c.job_id.type)))


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """How many jobs an upsert changed."""

    added: int
    """Those that the store had not held."""
    updated: int
    """Those whose name or labels are others now."""
    revived: int
    """Those that had been removed, and are watched again."""


def list_jobs(connection: Connection, *, include_removed: bool = False) -> list[Job]:
    """Return the watched jobs by source and id, on request also those that are no longer watched."""
    statement = select(*JOB_COLUMNS).order_by(job.c.source, job.c.job_id)
    if not include_removed:
        statement = statement.where(job.c.removed_at.is_(None))
    return list(map(job_of, connection.execute(statement)))


def page_of_jobs(
    connection: Connection, after: JobKey | None, limit: int, source: str | None, status: str | None
) -> list[Job]:
    """Return up to `limit` watched jobs by source and id, those that come after a key: of a source, in a status.

    The status is that of a transition, or UNSEEN.
    """
    statement = select(*JOB_COLUMNS).where(job.c.removed_at.is_(None))
    if after is not None:
        statement = statement.where(tuple_(job.c.source, job.c.job_id) > tuple_(after.source, after.id))
    if source is not None:
        statement = statement.where(job.c.source == source)
    if status is not None:
        statement = statement.where(job.c.status.is_(None) if status == UNSEEN else job.c.status == status)
    return list(map(job_of, connection.execute(statement.order_by(job.c.source, job.c.job_id).limit(limit))))


def count_jobs(connection: Connection) -> dict[tuple[str, JobState | None], int]:
    """Count the watched jobs by source and state, which is None for those that were not seen yet."""
    state = STATE.label("present_state")
    statement = (
        select(job.c.source, state, func.count()).where(job.c.removed_at.is_(None)).group_by(job.c.source, state)
    )
    return {(source, JobState(word) if word else None): count for source, word, count in connection.execute(statement)}


def lingering(connection: Connection, limits: Mapping[str, timedelta], now: datetime) -> list[Job]:
    """Return the watched jobs that have been in a status for longer than its limit."""
    if not limits:
        return []
    too_long = [and_(is_in(word), job.c.status_since <= now - limit) for word, limit in limits.items()]
    statement = select(*JOB_COLUMNS).where(job.c.removed_at.is_(None), or_(*too_long))
    return list(map(job_of, connection.execute(statement)))


def find_job(connection: Connection, key: JobKey, *, include_removed: bool = True) -> Job | None:
    """Return the job, by default also one that is no longer watched."""
    statement = select(*JOB_COLUMNS).where(_has_key(key))
    if not include_removed:
        statement = statement.where(job.c.removed_at.is_(None))
    row = connection.execute(statement).one_or_none()
    return job_of(row) if row else None


def find_jobs(connection: Connection, job_id: str) -> list[Job]:
    """Return the jobs of this id at any source, whether they are still watched or not."""
    statement = select(*JOB_COLUMNS).where(job.c.job_id == job_id).order_by(job.c.source)
    return list(map(job_of, connection.execute(statement)))


def latest_transitions(connection: Connection, key: JobKey, limit: int, before: int | None) -> list[Transition]:
    """Return up to `limit` transitions of a job with their true times, the newest first: of those before this `seq`."""
    statement = select(*TRANSITION_COLUMNS).join_from(transition, job).where(_has_key(key))
    if before is not None:
        statement = statement.where(transition.c.seq < before)
    found = map(transition_of, connection.execute(statement.order_by(transition.c.seq.desc()).limit(limit)).all())
    milestones = milestones_of(connection, key)
    return [with_true_times(each, milestones) for each in found]


def count_transitions(connection: Connection, key: JobKey) -> int:
    """Count the recorded transitions of a job."""
    statement = select(func.count()).select_from(transition).join(job).where(_has_key(key))
    return connection.execute(statement).scalar_one()


def remove_job(connection: Connection, key: JobKey, now: datetime) -> bool:
    """Watch the job no more; tell whether it was watched."""
    removal = update(job).where(_has_key(key), job.c.removed_at.is_(None))
    return connection.execute(removal.values(removed_at=now, due_at=None, origin=None)).rowcount == 1


def make_due(connection: Connection, key: JobKey, now: datetime) -> bool:
    """Have a job polled now, unless it has ended; return whether it is watched."""
    is_watched = and_(_has_key(key), job.c.removed_at.is_(None))
    if connection.execute(update(job).where(is_watched, job.c.due_at > now).values(due_at=now)).rowcount:
        return True
    return connection.execute(select(job.c.id).where(is_watched)).first() is not None


def watched_keys(connection: Connection, origin: str | None) -> set[JobKey]:
    """Return which jobs are watched, on request those that this origin wants."""
    statement = select(job.c.source, job.c.job_id).where(job.c.removed_at.is_(None))
    if origin is not None:
        statement = statement.where(has_origin(origin))
    return {JobKey(sys.intern(source), job_id) for source, job_id in connection.execute(statement)}


def origins_of(connection: Connection, keys: Collection[JobKey]) -> dict[JobKey, list[str]]:
    """Return who wants each of these jobs; nobody where that was not noted."""
    return {key: (row.origin or "").split() for key, row in rows_by_key(connection, keys, job.c.origin).items()}


def drop_origin(connection: Connection, keys: Collection[JobKey], origin: str, now: datetime) -> int:
    """Note that an origin does not want these jobs any more; return how many are watched no more for it.

    A job of which no origin was noted is let go too.
    """
    serialise(connection)
    rows = rows_by_key(connection, keys, job.c.origin, job.c.removed_at)
    return let_go(connection, {row.id: row.origin for row in rows.values() if row.removed_at is None}, origin, now)


def let_go(connection: Connection, origins: Mapping[int, str | None], origin: str, now: datetime) -> int:
    """Take an origin from rows, whose origins are given; return how many of these jobs are watched no more for it."""
    by_rest: dict[str, list[int]] = {}
    for number, text in sorted(origins.items()):
        by_rest.setdefault(without_origin(text, origin), []).append(number)
    for rest, numbers in by_rest.items():
        _change(connection, numbers, {"origin": rest} if rest else {"origin": "", "removed_at": now, "due_at": None})
    return len(by_rest.get("", ()))


def upsert_jobs(
    connection: Connection,
    specs: Sequence[JobSpec],
    now: datetime,
    *,
    ask_again: bool = False,
    origin: str | None = None,
) -> UpsertResult:
    """Watch these jobs, which the origin wants; the last one counts where a key comes twice."""
    serialise(connection)  # two processes may bring the same new job
    wanted = {spec.key: spec for spec in specs}
    known = rows_by_key(
        connection,
        wanted,
        job.c.name,
        job.c.labels,
        HAS_ENDED.label("has_ended"),
        job.c.removed_at,
        job.c.origin,
    )
    if added := [new_row(spec, now, origin) for spec in wanted.values() if spec.key not in known]:
        connection.execute(insert(job), added)
    # In the order in which `record` locks rows too, so that neither waits for the other for ever; then they are ours.
    note_wanted(connection, [row.id for row in known.values()], now)
    updated = revived = 0
    alike: dict[tuple[tuple[str, Any], ...], list[int]] = {}
    for key, row in known.items():
        changes = _news(wanted[key], row)
        updated += bool(changes)
        is_revived, is_over = row.removed_at is not None, bool(row.has_ended)
        if (wanted_by := with_origin(row.origin, origin, is_removed=is_revived)) != row.origin:
            changes["origin"] = wanted_by
        if is_revived:
            revived += 1
            changes |= {"removed_at": None, "failures": 0, "missing": 0, "last_error": None}
        if ask_again if is_over else is_revived:
            changes["due_at"] = now
        if changes:
            alike.setdefault(tuple(changes.items()), []).append(int(row.id))
    for changes_of_all, numbers in alike.items():
        _change(connection, numbers, dict(changes_of_all))
    return UpsertResult(len(added), updated, revived)


def rows_by_key(
    connection: Connection, keys: Collection[JobKey], *columns: ColumnElement[Any]
) -> dict[JobKey, Row[Any]]:
    """Look up the `id` and the columns given of every job that the store holds."""
    by_source: dict[str, list[str]] = {}
    for key in keys:
        by_source.setdefault(key.source, []).append(key.id)
    statement = select(job.c.job_id, job.c.id, *columns).where(_IS_NAMED)
    found: dict[JobKey, Row[Any]] = {}
    for source, ids in by_source.items():
        rows = connection.execute(statement, {"of_source": source, "ids": ids})
        found |= {JobKey(source, row[0]): row for row in rows}
    return found


def note_wanted(connection: Connection, numbers: Collection[int], now: datetime) -> None:
    """Note that these are wanted, so that they are not pruned."""
    _change(connection, sorted(numbers), {"asserted_at": now})


def _change(connection: Connection, numbers: Sequence[int], values: Mapping[str, Any]) -> None:
    """Give the same values to all of these rows."""
    connection.execute(update(job).where(_IS_NUMBERED).values(values), {"numbers": numbers})


def _has_key(key: JobKey) -> ColumnElement[bool]:
    return and_(job.c.source == key.source, job.c.job_id == key.id)


def new_row(spec: JobSpec, now: datetime, origin: str | None) -> dict[str, Any]:
    """Return the row of a job that is to be watched from now on."""
    return {
        "source": spec.key.source,
        "job_id": spec.key.id,
        "name": spec.name,
        "labels": text_of_labels(spec.labels),
        "seq": 0,
        "added_at": now,
        "asserted_at": now,
        "due_at": now,
        "failures": 0,
        "missing": 0,
        "origin": origin,
    }


def _news(spec: JobSpec, row: Row[Any]) -> dict[str, Any]:
    """Return what the spec says other than the row."""
    said = {"name": spec.name, "labels": text_of_labels(spec.labels)}
    return {name: value for name, value in said.items() if value != row._mapping[name]}  # noqa: SLF001 - its public way
