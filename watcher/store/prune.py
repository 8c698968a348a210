"""Forgetting what is over and old."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, case, delete, func, or_, select, tuple_

from watcher.domain.states import TERMINAL
from watcher.store.database import serialise
from watcher.store.schema import condition_event, delivery, job, receipt, transition

BATCH = 500
"""How many rows one transaction deletes of each table, so that nobody waits long for it."""

_STATE = case((job.c.described_seq == job.c.seq, job.c.state), else_=job.c.status)
_HAS_ENDED = _STATE.in_([state.value for state in TERMINAL])


def prune(connection: Connection, before: datetime) -> int:
    """Delete up to a batch of each kind of what is over since before then; return how many rows that was.

    What is over: settled deliveries, then transitions without any delivery left, both only of jobs that have ended
    or are watched no more, and of conditions; then such jobs as are watched no more, or have ended and were not
    asserted since, when they have no transition left.

    A job that has ended stays while somebody asserts it: without its row, whoever lists it would bring it as a new
    job, and its end would be told once more.
    """
    serialise(connection)  # nobody may assert meanwhile what is being deleted
    return (
        _prune_deliveries(connection, before)
        + _prune_transitions(connection, before)
        + _prune_condition_events(connection, before)
        + _prune_jobs(connection, before)
        + _prune_receipts(connection, before)
    )


def _prune_deliveries(connection: Connection, before: datetime) -> int:
    old = (
        select(delivery.c.id)
        .where(delivery.c.settled_at < before, or_(delivery.c.job.is_(None), _is_of_job_that_is_over(delivery.c.job)))
        .order_by(delivery.c.settled_at)
        .limit(BATCH)
    )
    return connection.execute(delete(delivery).where(delivery.c.id.in_(old))).rowcount


def _prune_transitions(connection: Connection, before: datetime) -> int:
    is_its = and_(delivery.c.job == transition.c.job, delivery.c.seq == transition.c.seq)
    old = (
        select(transition.c.job, transition.c.seq)
        .where(
            transition.c.observed_at < before,
            _is_of_job_that_is_over(transition.c.job),
            ~select(delivery.c.id).where(is_its).exists(),
        )
        .order_by(transition.c.observed_at)
        .limit(BATCH)
    )
    return connection.execute(delete(transition).where(tuple_(transition.c.job, transition.c.seq).in_(old))).rowcount


def _prune_condition_events(connection: Connection, before: datetime) -> int:
    is_its = and_(delivery.c.condition == condition_event.c.condition, delivery.c.seq == condition_event.c.seq)
    key = (condition_event.c.condition, condition_event.c.seq)
    old = (
        select(*key)
        .where(condition_event.c.at < before, ~select(delivery.c.id).where(is_its).exists())
        .order_by(condition_event.c.at)
        .limit(BATCH)
    )
    return connection.execute(delete(condition_event).where(tuple_(*key).in_(old))).rowcount


def _prune_receipts(connection: Connection, before: datetime) -> int:
    key = (receipt.c.notifier, receipt.c.subject)
    old = select(*key).where(receipt.c.updated_at < before).limit(BATCH)
    return connection.execute(delete(receipt).where(tuple_(*key).in_(old))).rowcount


def _prune_jobs(connection: Connection, before: datetime) -> int:
    has_history = select(transition.c.seq).where(transition.c.job == job.c.id).exists()
    # When it ended its last transition tells, which is there until then.
    is_wanted_no_more = and_(
        job.c.removed_at.is_(None), _HAS_ENDED, func.coalesce(job.c.asserted_at, job.c.added_at) < before
    )
    old = select(job.c.id).where(or_(job.c.removed_at < before, is_wanted_no_more), ~has_history).limit(BATCH)
    return connection.execute(delete(job).where(job.c.id.in_(old))).rowcount


def _is_of_job_that_is_over(number: ColumnElement[int]) -> ColumnElement[bool]:
    is_over = or_(_HAS_ENDED, job.c.removed_at.is_not(None))
    return select(job.c.id).where(job.c.id == number, is_over).exists()
