"""Due jobs: found, ranked, and claimed by the statement that moves their time on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from watcher.domain.jobs import Job
from watcher.domain.slices import slices
from watcher.engine.ports import ClaimRequest
from watcher.store.rows import JOB_COLUMNS, job_of
from watcher.store.schema import job

RANKED_JOBS = 2_000
"""How many due jobs of a source are compared, the longest due; a source that is further behind is not ranked."""
JOBS_PER_STATEMENT = 500
"""How many jobs one statement names; databases limit the parameters of a statement."""

_IS_DUE = (job.c.source == bindparam("of_source"), job.c.due_at <= bindparam("until"), job.c.removed_at.is_(None))
_DUE = select(job.c.id).where(*_IS_DUE).order_by(job.c.due_at, job.c.id).limit(bindparam("capacity"))
_DUE_IN_FULL = _DUE.add_columns(*JOB_COLUMNS)
# A CTE that locks rows runs once. A plain subquery might run again for each row, and claim more than was asked for.
_FIRST = _DUE.with_for_update(skip_locked=True).cte("claimed")
_CHOSEN = (
    select(job.c.id)
    .where(*_IS_DUE, job.c.id.in_(bindparam("numbers", expanding=True)))
    .with_for_update(skip_locked=True)
    .cte("claimed")
)
_MOVE = update(job).values(due_at=bindparam("next_due")).returning(job.c.id, *JOB_COLUMNS)
_CLAIM_FIRST = _MOVE.where(job.c.id.in_(select(_FIRST.c.id)))
_CLAIM_CHOSEN = _MOVE.where(job.c.id.in_(select(_CHOSEN.c.id)))


@dataclass(frozen=True, slots=True)
class DueJobs:
    """The due jobs of a source that are to be claimed."""

    source: str
    numbers: Sequence[int]
    """Of their rows, in the order in which they are wanted."""
    until: datetime
    """They are due by then."""
    next_due: datetime
    is_choice: bool = False
    """Whether others are due as well, and just these are meant."""


def find_due(
    connection: Connection, requests: Mapping[str, ClaimRequest], now: datetime, ranked: int = RANKED_JOBS
) -> list[DueJobs]:
    """Find what is to be claimed of each source that has anything due."""
    found = (
        _find(connection, source, request, now, ranked) for source, request in requests.items() if request.limit > 0
    )
    return [due for due in found if due.numbers]


def claim_due(connection: Connection, found: Iterable[DueJobs], chosen: int = JOBS_PER_STATEMENT) -> list[Job]:
    """Claim what `find_due` found; the same jobs, without those that another watcher claimed first."""
    jobs: list[Job] = []
    for due in found:
        # A database returns changed rows in any order, and no longer knows when they were due.
        place = {number: index for index, number in enumerate(due.numbers)}
        # Each row is read as it comes: ten thousand of them would take as much memory again as the jobs.
        claimed = [(place.get(row[0], len(place)), job_of(row[1:])) for row in _claimed(connection, due, chosen)]
        jobs += [each for _, each in sorted(claimed, key=itemgetter(0))]
    return jobs


def _find(connection: Connection, source: str, request: ClaimRequest, now: datetime, compared: int) -> DueJobs:
    until = now + request.ahead
    if request.ahead and not request.is_rest and not _numbers(connection, source, now, 1):
        return DueJobs(source, (), until, request.next_due)
    if request.urgency is None:
        return DueJobs(source, _numbers(connection, source, until, request.limit), until, request.next_due)
    ranked = _ranked(connection, {"of_source": source, "until": until, "capacity": compared}, request.urgency)
    return DueJobs(source, ranked[: request.limit], until, request.next_due, is_choice=len(ranked) > request.limit)


def _numbers(connection: Connection, source: str, until: datetime, capacity: int) -> Sequence[int]:
    return connection.scalars(_DUE, {"of_source": source, "until": until, "capacity": capacity}).all()


def _ranked(connection: Connection, wanted: Mapping[str, Any], urgency: Callable[[Job], float]) -> Sequence[int]:
    rows = connection.execute(_DUE_IN_FULL, wanted).all()
    urgencies = {row[0]: urgency(job_of(row[1:])) for row in rows}
    return sorted(urgencies, key=urgencies.__getitem__, reverse=True)


def _claimed(connection: Connection, due: DueJobs, per_statement: int) -> Iterator[Row[Any]]:
    wanted = {"of_source": due.source, "until": due.until, "next_due": due.next_due}
    if not due.is_choice:
        yield from connection.execute(_CLAIM_FIRST, wanted | {"capacity": len(due.numbers)})
        return
    # In the order in which others lock rows too, so that neither waits for the other for ever.
    for part in slices(sorted(due.numbers), per_statement):
        yield from connection.execute(_CLAIM_CHOSEN, wanted | {"numbers": part})
