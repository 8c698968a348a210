"""Forgetting what is over and old."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Row,
    Table,
    and_,
    bindparam,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from watcher.store.database import serialise
from watcher.store.job_state import HAS_ENDED
from watcher.store.schema import (
    condition,
    condition_event,
    delivery,
    event_reading,
    job,
    metric_point,
    receipt,
    silence,
    transition,
)

BATCH = 200
"""How many rows one transaction looks at, so that others do not wait long."""
RUNS = 5
"""Of how many jobs one transaction deletes the metric points: each may have thousands."""

_IS_OVER = or_(HAS_ENDED, job.c.removed_at.is_not(None))


class Pruning:
    """One walk through what is old, in small transactions: each row is looked at once.

    What is over: metric points of jobs that have ended or are no longer watched; settled deliveries, then transitions
    without any delivery left, both only of such jobs, and of conditions; then jobs that are no longer watched, or have
    ended and were not asserted since, when they have no transition left; then silences that are over.

    A job that has ended stays while it is configured or added again: without its row it would come back as a new
    job, and its end would be sent once more.
    """

    def __init__(
        self, before: datetime, metrics_before: datetime | None = None, batch: int = BATCH, runs: int = RUNS
    ) -> None:
        """What is over since before then is forgotten; metric points where they were last read before their own."""
        self._before = before
        self._metrics_before = metrics_before or before
        self._batch = batch
        self._runs = runs
        self._passed: Sequence[Any] | None = None
        """Where the walk through the present table has come to."""
        self._steps: list[Callable[[Connection], int]] = [
            self._metric_points,
            self._deliveries,
            self._transitions,
            self._condition_events,
            self._jobs,
            self._receipts,
            self._silences,
        ]

    @property
    def is_done(self) -> bool:
        """Return whether every row was looked at."""
        return not self._steps

    def prune(self, connection: Connection) -> int:
        """Look at the next batch; return how many rows of it were deleted."""
        serialise(connection)  # no job may be asserted while it is being deleted
        return self._steps[0](connection)

    def _metric_points(self, connection: Connection) -> int:
        is_measured = select(metric_point.c.job).where(metric_point.c.job == event_reading.c.job).exists()
        is_over = event_reading.c.read_at < self._metrics_before, _is_of_job_that_is_over(event_reading.c.job)
        runs = self._next(connection, (event_reading.c.job,), *is_over, is_measured, most=self._runs)
        return _delete(connection, metric_point, metric_point.c.job.in_([row.job for row in runs]))

    def _deliveries(self, connection: Connection) -> int:
        old = self._next(connection, (delivery.c.settled_at, delivery.c.id), delivery.c.settled_at < self._before)
        is_over = or_(delivery.c.job.is_(None), _is_of_job_that_is_over(delivery.c.job))
        return _delete(connection, delivery, delivery.c.id.in_([row.id for row in old]), is_over)

    def _transitions(self, connection: Connection) -> int:
        order = (transition.c.observed_at, transition.c.job, transition.c.seq)
        old = self._next(connection, order, transition.c.observed_at < self._before)
        of = {row.job for row in old}
        over = set(connection.scalars(select(job.c.id).where(job.c.id.in_(of), _IS_OVER)))
        rows = [{"of_job": row.job, "number": row.seq} for row in old if row.job in over]
        return connection.execute(_DELETE_TRANSITION, rows).rowcount if rows else 0

    def _condition_events(self, connection: Connection) -> int:
        order = (condition_event.c.at, condition_event.c.condition, condition_event.c.seq)
        old = self._next(connection, order, condition_event.c.at < self._before)
        if not old:
            return 0
        rows = [{"of_condition": row.condition, "number": row.seq} for row in old]
        return connection.execute(_DELETE_CONDITION_EVENT, rows).rowcount

    def _receipts(self, connection: Connection) -> int:
        order = (receipt.c.notifier, receipt.c.subject)
        old = self._next(connection, order, receipt.c.updated_at < self._before)
        rows = [{"of_notifier": row.notifier, "of_subject": row.subject} for row in old]
        return connection.execute(_DELETE_RECEIPT, rows).rowcount if rows else 0

    def _silences(self, connection: Connection) -> int:
        over = self._next(connection, (silence.c.id,), silence.c.until < self._before)
        return _delete(connection, silence, silence.c.id.in_([row.id for row in over]))

    def _jobs(self, connection: Connection) -> int:
        has_history = select(transition.c.seq).where(transition.c.job == job.c.id).exists()
        # The time of its end is that of its last transition, which exists until then.
        is_wanted_no_more = and_(
            job.c.removed_at.is_(None), HAS_ENDED, func.coalesce(job.c.asserted_at, job.c.added_at) < self._before
        )
        rows = self._next(connection, (job.c.id,))
        is_old = or_(job.c.removed_at < self._before, is_wanted_no_more)
        return _delete(connection, job, job.c.id.in_([row.id for row in rows]), is_old, ~has_history)

    def _next(
        self,
        connection: Connection,
        order: Sequence[Column[Any]],
        *conditions: ColumnElement[bool],
        most: int | None = None,
    ) -> Sequence[Row[Any]]:
        """Return the next rows of a table; the walk goes on to the next table after the last ones."""
        batch = most or self._batch
        statement = select(*order).where(*conditions).order_by(*order)
        rows: list[Row[Any]] = []
        if self._passed:
            # With the types of the columns: SQLite compares moments as text, which must be written as it is stored.
            first, *rest = [literal(value, column.type) for value, column in zip(self._passed, order, strict=True)]
            if rest:
                # Thousands may have been settled at the same moment; for a tuple SQLite would start again with them.
                is_next = and_(order[0] == first, tuple_(*order[1:]) > tuple_(*rest))
                rows += connection.execute(statement.where(is_next).limit(batch))
            statement = statement.where(order[0] > first)
        if missing := batch - len(rows):
            rows += connection.execute(statement.limit(missing))
        self._passed = tuple(rows[-1]) if len(rows) == batch else None
        if self._passed is None:
            del self._steps[0]
        return rows


def _delete(connection: Connection, table: Table, *conditions: ColumnElement[bool]) -> int:
    return connection.execute(delete(table).where(*conditions)).rowcount


def _is_of_job_that_is_over(number: ColumnElement[int]) -> ColumnElement[bool]:
    return select(job.c.id).where(job.c.id == number, _IS_OVER).exists()


# One by one: SQLite would look through the whole table for pairs out of a list. Only of jobs that are over: those of
# others are still owed, or keep all their deliveries, which would be looked through each time.
_DELETE_TRANSITION = delete(transition).where(
    transition.c.job == bindparam("of_job"),
    transition.c.seq == bindparam("number"),
    ~select(delivery.c.id).where(delivery.c.job == transition.c.job, delivery.c.seq == transition.c.seq).exists(),
)
# The event that has raised a condition stays until another one follows: it is what reminders tell again.
_IS_WHAT_STANDS = and_(
    ~condition_event.c.is_good,
    select(condition.c.id)
    .where(condition.c.id == condition_event.c.condition, condition.c.seq == condition_event.c.seq)
    .exists(),
)
_DELETE_CONDITION_EVENT = delete(condition_event).where(
    condition_event.c.condition == bindparam("of_condition"),
    condition_event.c.seq == bindparam("number"),
    ~select(delivery.c.id)
    .where(delivery.c.condition == condition_event.c.condition, delivery.c.seq == condition_event.c.seq)
    .exists(),
    ~_IS_WHAT_STANDS,
)
_DELETE_RECEIPT = delete(receipt).where(
    receipt.c.notifier == bindparam("of_notifier"), receipt.c.subject == bindparam("of_subject")
)
