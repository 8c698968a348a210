"""What the page shows of watched jobs: those that need a person, those that run, those that ended lately."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, and_, false, func, literal, or_, select, true, tuple_

from watcher.domain.conditions import job_subjects
from watcher.domain.deliveries import Delivery, DeliveryState
from watcher.domain.job_filter import Concerns, JobFilter, Limits, Overview
from watcher.domain.jobs import Job, JobKey
from watcher.domain.polling_policy import MISSING_TOLERATED
from watcher.domain.states import JobState
from watcher.domain.transitions import Transition
from watcher.store.job_state import HAS_ENDED, STATE, is_in
from watcher.store.metric_points import spread_points
from watcher.store.rows import (
    JOB_COLUMNS,
    TRANSITION_COLUMNS,
    delivery_of,
    job_of,
    select_deliveries,
    text_of_labels,
    transition_of,
)
from watcher.store.schema import condition, delivery, job, transition

P = ParamSpec("P")
T = TypeVar("T")

_IS_WATCHED = job.c.removed_at.is_(None)
_IS_MISSING = job.c.missing > MISSING_TOLERATED
# A job that was not seen yet has no state, and so has not ended.
_IS_OPEN = func.coalesce(~HAS_ENDED, true())
_RUNS = literal(JobState.RUNNING.value) == STATE
_WAITS = and_(_IS_OPEN, func.coalesce(~_RUNS, true()))
_LATEST_FIRST: Sequence[ColumnElement[Any]] = (job.c.status_since.desc(), job.c.id.desc())
_BY_KEY: Sequence[ColumnElement[Any]] = (job.c.source, job.c.job_id)


class LookUp(Protocol):
    """Reads from the database, without holding up what writes."""

    async def __call__(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the work in a transaction. Raises StoreError."""
        ...


class JobViews:
    """Watched jobs as the page shows them. Every method may raise StoreError."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up

    async def overview(self, concerns: Concerns, after: JobKey | None, limits: Limits) -> Overview:
        """Return what needs a person, what is under way, and what ended; after a job, only what is under way."""
        return await self._look_up(read_overview, concerns, after, limits)

    async def found(self, wanted: JobFilter, after: JobKey | None, limits: Limits) -> Overview:
        """Return a page of the jobs that pass the filter, by key, after one."""
        return await self._look_up(read_found, wanted, after, limits)

    async def newest_transitions(self, limit: int) -> list[Transition]:
        """Return the newest transitions of watched jobs, the newest first."""
        return await self._look_up(newest_transitions, limit)

    async def deliveries_of(self, key: JobKey, limit: int) -> list[Delivery]:
        """Return the newest deliveries of what happened to a job, and of its conditions, the newest first."""
        return await self._look_up(deliveries_of_job, key, limit)


def read_overview(connection: Connection, concerns: Concerns, after: JobKey | None, limits: Limits) -> Overview:
    """Read what needs a person, what is under way, and what ended; after a job, only what is under way."""
    page = jobs_under_way(connection, concerns, after, limits.page)
    if after is not None:
        return _overview(connection, limits, page)
    in_trouble = jobs_in_trouble(connection, concerns, limits.in_trouble)
    ended = jobs_ended(connection, concerns.failed_since, limits.ended)
    return _overview(connection, limits, page, in_trouble, ended)


def read_found(connection: Connection, wanted: JobFilter, after: JobKey | None, limits: Limits) -> Overview:
    """Read a page of the jobs that pass the filter, by key, after one."""
    return _overview(connection, limits, search_jobs(connection, wanted, after, limits.page))


def _overview(
    connection: Connection,
    limits: Limits,
    page: Sequence[Job],
    in_trouble: Sequence[Job] = (),
    ended: Sequence[Job] = (),
) -> Overview:
    running = [each.key for each in (*page, *in_trouble) if each.state is JobState.RUNNING]
    losses = spread_points(connection, running, limits.series, limits.points) if running else {}
    return Overview(count_states(connection), count_dead(connection), page, losses, in_trouble, ended)


def jobs_in_trouble(connection: Connection, concerns: Concerns, limit: int) -> list[Job]:
    """Return up to `limit` jobs that need a person, the latest first."""
    is_lost = and_(or_(_IS_MISSING, _is_stuck(concerns)), _IS_OPEN)
    return _first(connection, or_(_failed_since(concerns.failed_since), is_lost), _LATEST_FIRST, limit)


def jobs_under_way(connection: Connection, concerns: Concerns, after: JobKey | None, limit: int) -> list[Job]:
    """Return up to `limit` jobs that have not ended and need nobody: those that run first, by key, after one."""
    found: list[Job] = []
    runs_no_more = after is not None and not _runs(connection, after)
    if not runs_no_more:  # apart, for then the first ones are found without a look at all that wait
        found = _first(connection, and_(_RUNS, _needs_nobody(concerns), _is_after(after)), _BY_KEY, limit)
    if len(found) < limit:
        waits = and_(_WAITS, _needs_nobody(concerns), _is_after(after if runs_no_more else None))
        found += _first(connection, waits, _BY_KEY, limit - len(found))
    return found


def jobs_ended(connection: Connection, except_failed_since: datetime, limit: int) -> list[Job]:
    """Return up to `limit` jobs that have ended, the latest first, without those that failed since then."""
    return _first(connection, and_(HAS_ENDED, ~_failed_since(except_failed_since)), _LATEST_FIRST, limit)


def search_jobs(connection: Connection, wanted: JobFilter, after: JobKey | None, limit: int) -> list[Job]:
    """Return up to `limit` jobs that pass the filter, by source and id, after a key."""
    statement = _jobs().where(_is_after(after)).order_by(*_BY_KEY)
    if wanted.source is not None:
        statement = statement.where(job.c.source == wanted.source)
    if wanted.state is not None:
        statement = statement.where(_is_in(wanted.state))
    if wanted.text:
        statement = statement.where(_contains(wanted.text))
    if wanted.label is None:
        return _read(connection, statement.limit(limit))
    name, value = wanted.label
    # Databases differ in what of JSON they can look into: they find the text, and JSON decides.
    written = text_of_labels({name: value})[1:-1]
    rows = connection.execute(statement.where(job.c.labels.contains(written, autoescape=True)))
    found = (each for each in map(job_of, rows) if each.labels.get(name) == value)
    return [each for each, _ in zip(found, range(limit), strict=False)]


def newest_transitions(connection: Connection, limit: int) -> list[Transition]:
    """Return the newest transitions of watched jobs, the newest first."""
    statement = select(*TRANSITION_COLUMNS).join_from(transition, job).where(_IS_WATCHED)
    rows = connection.execute(statement.order_by(transition.c.observed_at.desc(), transition.c.seq.desc()).limit(limit))
    return list(map(transition_of, rows))


def deliveries_of_job(connection: Connection, key: JobKey, limit: int) -> list[Delivery]:
    """Return the newest deliveries of what happened to a job, and of its conditions, the newest first."""
    number = select(job.c.id).where(job.c.source == key.source, job.c.job_id == key.id).scalar_subquery()
    of_job = select(condition.c.id).where(condition.c.subject.in_(job_subjects(key)))
    newest = select(delivery.c.id).where(or_(delivery.c.job == number, delivery.c.condition.in_(of_job)))
    # First which ones, then what they hold: sorting whole documents would take long.
    newest = newest.order_by(delivery.c.id.desc()).limit(limit)
    statement = select_deliveries().where(delivery.c.id.in_(newest)).order_by(delivery.c.id.desc())
    return list(map(delivery_of, connection.execute(statement)))


def count_dead(connection: Connection) -> int:
    """Count the deliveries that were given up and that nobody has discarded."""
    is_dead = delivery.c.state == DeliveryState.DEAD.value
    return connection.scalar(select(func.count()).select_from(delivery).where(is_dead)) or 0


def count_states(connection: Connection) -> dict[JobState | None, int]:
    """Count the watched jobs by state; None stands for those that were not seen yet."""
    state = STATE.label("present_state")
    rows = connection.execute(select(state, func.count()).where(_IS_WATCHED).group_by(state))
    return {JobState(word) if word else None: count for word, count in rows}


def _jobs() -> Select[tuple[object, ...]]:
    return select(*JOB_COLUMNS).where(_IS_WATCHED)


def _first(
    connection: Connection, condition: ColumnElement[bool], order: Sequence[ColumnElement[Any]], limit: int
) -> list[Job]:
    """Return the first of the watched jobs that meet a condition."""
    # First which ones, which the index `job_overview` tells alone, then what they hold.
    chosen = select(job.c.id).where(_IS_WATCHED, condition).order_by(*order).limit(limit)
    return _read(connection, select(*JOB_COLUMNS).where(job.c.id.in_(chosen)).order_by(*order))


def _is_after(after: JobKey | None) -> ColumnElement[bool]:
    return tuple_(job.c.source, job.c.job_id) > tuple_(after.source, after.id) if after else true()


def _runs(connection: Connection, key: JobKey) -> bool:
    is_it = and_(job.c.source == key.source, job.c.job_id == key.id)
    return connection.scalar(select(STATE).where(is_it)) == JobState.RUNNING.value


def _needs_nobody(concerns: Concerns) -> ColumnElement[bool]:
    return and_(~_IS_MISSING, ~_is_stuck(concerns))


def _is_in(state: JobState) -> ColumnElement[bool]:
    return literal(state.value) == STATE


def _failed_since(moment: datetime) -> ColumnElement[bool]:
    return and_(_is_in(JobState.FAILED), job.c.status_since >= moment)


def _is_stuck(concerns: Concerns) -> ColumnElement[bool]:
    stuck = [and_(is_in(word), job.c.status_since <= moment) for word, moment in concerns.stuck_since.items()]
    return func.coalesce(or_(false(), *stuck), false())


def _contains(text: str) -> ColumnElement[bool]:
    """Tell whether a job's id or name contains the text, whatever its case."""
    return or_(job.c.job_id.icontains(text, autoescape=True), job.c.name.icontains(text, autoescape=True))


def _read(connection: Connection, statement: Select[tuple[object, ...]]) -> list[Job]:
    return list(map(job_of, connection.execute(statement)))
