"""What the page shows of watched jobs: those that need a person, those that run, those that ended lately."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal, or_, select, true, tuple_

from watcher.domain.deliveries import Delivery
from watcher.domain.job_filter import JobFilter
from watcher.domain.jobs import Job, JobKey
from watcher.domain.polling_policy import MISSING_TOLERATED
from watcher.domain.states import JobState
from watcher.domain.transitions import Transition
from watcher.store.job_state import HAS_ENDED, STATE
from watcher.store.rows import JOB_COLUMNS, TRANSITION_COLUMNS, delivery_of, job_of, select_deliveries, transition_of
from watcher.store.schema import delivery, job, transition

P = ParamSpec("P")
T = TypeVar("T")

_IS_WATCHED = job.c.removed_at.is_(None)
_IS_MISSING = job.c.missing > MISSING_TOLERATED
# A job that was not seen yet has no state, and so has not ended.
_IS_OPEN = func.coalesce(~HAS_ENDED, true())


class LookUp(Protocol):
    """Reads from the database, without holding up what writes."""

    async def __call__(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the work in a transaction. Raises StoreError."""
        ...


class JobViews:
    """Watched jobs as the page shows them. Every method may raise StoreError."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up

    async def in_trouble(self, failed_since: datetime, limit: int) -> list[Job]:
        """Return up to `limit` jobs that failed since then or are unknown to their source, the latest first."""
        return await self._look_up(jobs_in_trouble, failed_since, limit)

    async def under_way(self, after: JobKey | None, limit: int) -> list[Job]:
        """Return up to `limit` jobs that have not ended and are known to their source, by key, after one."""
        return await self._look_up(jobs_under_way, after, limit)

    async def ended(self, except_failed_since: datetime, limit: int) -> list[Job]:
        """Return up to `limit` jobs that have ended, the latest first, without those that failed since then."""
        return await self._look_up(jobs_ended, except_failed_since, limit)

    async def search(self, wanted: JobFilter, after: JobKey | None, limit: int) -> list[Job]:
        """Return up to `limit` jobs that pass the filter, by key, after one."""
        return await self._look_up(search_jobs, wanted, after, limit)

    async def count_states(self) -> dict[JobState | None, int]:
        """Count the watched jobs by state; None stands for those that were not seen yet."""
        return await self._look_up(count_states)

    async def newest_transitions(self, limit: int) -> list[Transition]:
        """Return the newest transitions of watched jobs, the newest first."""
        return await self._look_up(newest_transitions, limit)

    async def deliveries_of(self, key: JobKey, limit: int) -> list[Delivery]:
        """Return the newest deliveries of a job's transitions, the newest first."""
        return await self._look_up(deliveries_of_job, key, limit)


def jobs_in_trouble(connection: Connection, failed_since: datetime, limit: int) -> list[Job]:
    """Return up to `limit` jobs that failed since then or are unknown to their source, the latest first."""
    has_failed = _failed_since(failed_since)
    statement = _jobs().where(or_(has_failed, and_(_IS_MISSING, _IS_OPEN)))
    return _read(connection, statement.order_by(job.c.status_since.desc(), job.c.id.desc()).limit(limit))


def jobs_under_way(connection: Connection, after: JobKey | None, limit: int) -> list[Job]:
    """Return up to `limit` jobs that have not ended and are known to their source, by source and id, after a key."""
    statement = _after(_jobs().where(_IS_OPEN, ~_IS_MISSING), after)
    return _read(connection, statement.limit(limit))


def jobs_ended(connection: Connection, except_failed_since: datetime, limit: int) -> list[Job]:
    """Return up to `limit` jobs that have ended, the latest first, without those that failed since then."""
    statement = _jobs().where(HAS_ENDED, ~_failed_since(except_failed_since))
    return _read(connection, statement.order_by(job.c.status_since.desc(), job.c.id.desc()).limit(limit))


def search_jobs(connection: Connection, wanted: JobFilter, after: JobKey | None, limit: int) -> list[Job]:
    """Return up to `limit` jobs that pass the filter, by source and id, after a key."""
    statement = _after(_jobs(), after)
    if wanted.source is not None:
        statement = statement.where(job.c.source == wanted.source)
    if wanted.state is not None:
        statement = statement.where(_is_in(wanted.state))
    if wanted.text:
        statement = statement.where(_contains(wanted.text))
    if wanted.label is None:
        return _read(connection, statement.limit(limit))
    name, value = wanted.label
    # What is in a text of JSON is compared as JSON: databases differ in what they can look into.
    rows = connection.execute(statement.where(job.c.labels != "{}"))
    found = (each for each in map(job_of, rows) if each.labels.get(name) == value)
    return [each for each, _ in zip(found, range(limit), strict=False)]


def newest_transitions(connection: Connection, limit: int) -> list[Transition]:
    """Return the newest transitions of watched jobs, the newest first."""
    statement = select(*TRANSITION_COLUMNS).join_from(transition, job).where(_IS_WATCHED)
    rows = connection.execute(statement.order_by(transition.c.observed_at.desc(), transition.c.seq.desc()).limit(limit))
    return list(map(transition_of, rows))


def deliveries_of_job(connection: Connection, key: JobKey, limit: int) -> list[Delivery]:
    """Return the newest deliveries of a job's transitions, the newest first."""
    is_meant = and_(job.c.source == key.source, job.c.job_id == key.id)
    statement = select_deliveries().where(is_meant).order_by(delivery.c.id.desc()).limit(limit)
    return list(map(delivery_of, connection.execute(statement)))


def count_states(connection: Connection) -> dict[JobState | None, int]:
    """Count the watched jobs by state; None stands for those that were not seen yet."""
    state = STATE.label("present_state")
    rows = connection.execute(select(state, func.count()).where(_IS_WATCHED).group_by(state))
    return {JobState(word) if word else None: count for word, count in rows}


def _jobs() -> Select[tuple[object, ...]]:
    return select(*JOB_COLUMNS).where(_IS_WATCHED)


def _after(statement: Select[tuple[object, ...]], after: JobKey | None) -> Select[tuple[object, ...]]:
    if after is not None:
        statement = statement.where(tuple_(job.c.source, job.c.job_id) > tuple_(after.source, after.id))
    return statement.order_by(job.c.source, job.c.job_id)


def _is_in(state: JobState) -> ColumnElement[bool]:
    return literal(state.value) == STATE


def _failed_since(moment: datetime) -> ColumnElement[bool]:
    return and_(_is_in(JobState.FAILED), job.c.status_since >= moment)


def _contains(text: str) -> ColumnElement[bool]:
    """Tell whether a job's id or name contains the text, whatever its case."""
    return or_(job.c.job_id.icontains(text, autoescape=True), job.c.name.icontains(text, autoescape=True))


def _read(connection: Connection, statement: Select[tuple[object, ...]]) -> list[Job]:
    return list(map(job_of, connection.execute(statement)))
