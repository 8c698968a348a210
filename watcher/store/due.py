"""Due jobs: found, ranked, and claimed by moving their time on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from watcher.domain.jobs import Job
from watcher.engine.ports import ClaimRequest
from watcher.store.elements import each_of
from watcher.store.rows import JOB_COLUMNS, job_of
from watcher.store.schema import job

RANKED_JOBS = 2_000
"""How many due jobs of a source are compared, the longest due; a source that is further behind is not ranked."""
ROWS_AT_ONCE = 200
"""Rows of claimed jobs that are held at once: all of ten thousand would take as much memory again as the jobs."""

_IS_DUE = (job.c.source == bindparam("of_source"), job.c.due_at <= bindparam("until"), job.c.removed_at.is_(None))
_IS_NAMED = job.c.id.in_(each_of("numbers", job.c.id.type))
_NEXT_DUE = bindparam("next_due", type_=job.c.due_at.type)
_CLAIMED = [_NEXT_DUE if column is job.c.due_at else column for column in JOB_COLUMNS]
"""What `job_of` reads of a job whose time is moved on."""

_FIRST = select(job.c.id).where(*_IS_DUE).order_by(job.c.due_at, job.c.id).limit(bindparam("capacity"))
_FIRST_AS_DUE = _FIRST.add_columns(*JOB_COLUMNS)
# Locked, then moved: what changed rows give back comes in any order, and costs SQLite as much again as to read them.
_LOCK_FIRST = _FIRST.add_columns(*_CLAIMED).with_for_update(skip_locked=True)
_LOCK_NAMED = select(job.c.id, *_CLAIMED).where(*_IS_DUE, _IS_NAMED).with_for_update(skip_locked=True)
_MOVE = update(job).where(_IS_NAMED).values(due_at=_NEXT_DUE)


@dataclass(frozen=True, slots=True)
class DueJobs:
    """The due jobs of a source that are to be claimed."""

    source: str
    until: datetime
    """They are due by then."""
    next_due: datetime
    limit: int
    """How many of them at most, the longest due first."""
    numbers: Sequence[int] | None = None
    """Of the rows of those that are meant, in the order in which they are wanted; None: of any."""


def find_due(
    connection: Connection, requests: Mapping[str, ClaimRequest], now: datetime, ranked: int = RANKED_JOBS
) -> list[DueJobs]:
    """Find what is to be claimed of each source that has anything due."""
    found = (
        _find(connection, source, request, now, ranked) for source, request in requests.items() if request.limit > 0
    )
    return [due for due in found if due]


def claim_due(connection: Connection, found: Iterable[DueJobs]) -> list[Job]:
    """Claim what `find_due` found, but for what another watcher has claimed first."""
    return [each for due in found for each in _claim(connection, due)]


def _find(connection: Connection, source: str, request: ClaimRequest, now: datetime, compared: int) -> DueJobs | None:
    until = now + request.ahead
    first = {"of_source": source, "until": until if request.is_rest else now, "capacity": 1}
    if connection.execute(_FIRST, first).first() is None:
        return None
    due = DueJobs(source, until, request.next_due, request.limit)
    if request.urgency is None:
        return due
    ranked = _ranked(connection, {"of_source": source, "until": until, "capacity": compared}, request.urgency)
    return replace(due, numbers=ranked[: request.limit])


def _ranked(connection: Connection, wanted: Mapping[str, Any], urgency: Callable[[Job], float]) -> Sequence[int]:
    rows = connection.execute(_FIRST_AS_DUE, wanted).all()
    urgencies = {row[0]: urgency(job_of(row[1:])) for row in rows}
    return sorted(urgencies, key=urgencies.__getitem__, reverse=True)


def _claim(connection: Connection, due: DueJobs) -> Iterable[Job]:
    wanted = {"of_source": due.source, "until": due.until, "next_due": due.next_due}
    if due.numbers is None:
        rows = connection.execute(_LOCK_FIRST, wanted | {"capacity": due.limit})
    else:
        rows = connection.execute(_LOCK_NAMED, wanted | {"numbers": due.numbers})
    claimed = {row[0]: job_of(row[1:]) for part in rows.partitions(ROWS_AT_ONCE) for row in part}
    connection.execute(_MOVE, {"numbers": list(claimed), "next_due": due.next_due})
    if due.numbers is None:
        return claimed.values()
    return [claimed[number] for number in due.numbers if number in claimed]
