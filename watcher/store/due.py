"""Due jobs: found, ranked, and taken by the statement that moves their time on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from watcher.domain.jobs import Job
from watcher.engine.ports import ClaimRequest
from watcher.store.rows import JOB_COLUMNS, job_of
from watcher.store.schema import job

RANKED_AT_ONCE = 2_000
"""How many due jobs of a source are compared, the longest due; a source that is behind by more is beyond finesse."""
CHOSEN_AT_ONCE = 500
"""How many jobs one statement names; databases limit the parameters of a statement."""

_IS_DUE = (job.c.source == bindparam("of_source"), job.c.due_at <= bindparam("until"), job.c.removed_at.is_(None))
_DUE = select(job.c.id).where(*_IS_DUE).order_by(job.c.due_at, job.c.id).limit(bindparam("room"))
_DUE_IN_FULL = _DUE.add_columns(*JOB_COLUMNS)
# A CTE that locks rows runs once. A plain subquery might run again for each row, and take more than was asked for.
_FIRST = _DUE.with_for_update(skip_locked=True).cte("taken")
_CHOSEN = (
    select(job.c.id)
    .where(*_IS_DUE, job.c.id.in_(bindparam("numbers", expanding=True)))
    .with_for_update(skip_locked=True)
    .cte("taken")
)
_MOVE = update(job).values(due_at=bindparam("next_due")).returning(job.c.id, *JOB_COLUMNS)
_TAKE_FIRST = _MOVE.where(job.c.id.in_(select(_FIRST.c.id)))
_TAKE_CHOSEN = _MOVE.where(job.c.id.in_(select(_CHOSEN.c.id)))


@dataclass(frozen=True, slots=True)
class DueJobs:
    """The due jobs of a source that are to be taken."""

    source: str
    numbers: Sequence[int]
    """Of their rows, in the order in which they are wanted."""
    until: datetime
    """They are due by then."""
    next_due: datetime
    is_choice: bool = False
    """Whether others are due as well, and just these are meant."""


def find_due(
    connection: Connection, takes: Mapping[str, ClaimRequest], now: datetime, ranked: int = RANKED_AT_ONCE
) -> list[DueJobs]:
    """Find what is to be taken of each source that has anything due."""
    found = (_find(connection, source, take, now, ranked) for source, take in takes.items() if take.limit > 0)
    return [due for due in found if due.numbers]


def claim_due(connection: Connection, found: Iterable[DueJobs], chosen: int = CHOSEN_AT_ONCE) -> list[Job]:
    """Take what `find_due` found; the same jobs, unless somebody was faster."""
    jobs: list[Job] = []
    for due in found:
        # A database returns changed rows in any order, and no longer knows when they were due.
        place = {number: index for index, number in enumerate(due.numbers)}
        # Each row is read as it comes: ten thousand of them would take as much memory again as the jobs.
        taken = [(place.get(row[0], len(place)), job_of(row[1:])) for row in _taken(connection, due, chosen)]
        jobs += [each for _, each in sorted(taken, key=itemgetter(0))]
    return jobs


def _find(connection: Connection, source: str, take: ClaimRequest, now: datetime, compared: int) -> DueJobs:
    until = now + take.ahead
    if take.ahead and not _numbers(connection, source, now, 1):
        return DueJobs(source, (), until, take.next_due)
    if take.urgency is None:
        return DueJobs(source, _numbers(connection, source, until, take.limit), until, take.next_due)
    ranked = _ranked(connection, {"of_source": source, "until": until, "room": compared}, take.urgency)
    return DueJobs(source, ranked[: take.limit], until, take.next_due, is_choice=len(ranked) > take.limit)


def _numbers(connection: Connection, source: str, until: datetime, room: int) -> Sequence[int]:
    return connection.scalars(_DUE, {"of_source": source, "until": until, "room": room}).all()


def _ranked(connection: Connection, wanted: Mapping[str, Any], urgency: Callable[[Job], float]) -> Sequence[int]:
    rows = connection.execute(_DUE_IN_FULL, wanted).all()
    urgencies = {row[0]: urgency(job_of(row[1:])) for row in rows}
    return sorted(urgencies, key=urgencies.__getitem__, reverse=True)


def _taken(connection: Connection, due: DueJobs, at_once: int) -> Iterator[Row[Any]]:
    wanted = {"of_source": due.source, "until": due.until, "next_due": due.next_due}
    if not due.is_choice:
        yield from connection.execute(_TAKE_FIRST, wanted | {"room": len(due.numbers)})
        return
    # In the order in which others lock rows too, so that neither waits for the other for ever.
    numbers = sorted(due.numbers)
    for start in range(0, len(numbers), at_once):
        chosen = {"numbers": numbers[start : start + at_once]}
        yield from connection.execute(_TAKE_CHOSEN, wanted | chosen)
