"""What the events of jobs told: metric points, milestones, and where the reading stands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

from sqlalchemy import (
    CTE,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
    union,
    union_all,
)

from watcher.domain.jobs import JobKey
from watcher.domain.states import JobState
from watcher.domain.telemetry import MetricPoint, Milestone, thinned
from watcher.store.columns import Number
from watcher.store.schema import event_reading, job, metric_point, milestone

MOST_STEPS = 2_000
"""Points of one series of a job that are kept; of more, every other one goes."""
MOST_MILESTONES = 200
"""Milestones of a job that are kept, the first ones: a job enters a handful of states."""
LARGEST_STEP = 2**63 - 1


def events_cursor(connection: Connection, key: JobKey) -> str | None:
    """Return the cursor that the events of the job were last read with."""
    statement = select(event_reading.c.cursor).join(job, job.c.id == event_reading.c.job)
    return connection.scalar(statement.where(job.c.source == key.source, job.c.job_id == key.id))


def record_points(
    connection: Connection, key: JobKey, points: Sequence[MetricPoint], cursor: str | None, now: datetime
) -> None:
    """Keep what was read of a job's events; what is there already is replaced. Nothing for a job that is not there."""
    number = _number_of(connection, key)
    if number is None:
        return
    rows = {
        (point.series, point.step): {
            "job": number,
            "series": point.series,
            "step": point.step,
            "value": repr(point.value),
            "at": point.at,
        }
        for point in points
        if 0 <= point.step <= LARGEST_STEP
    }
    if rows:
        connection.execute(_upsert(connection, metric_point, "job", "series", "step"), list(rows.values()))
        for series in sorted({series for series, _ in rows}):
            _thin(connection, number, series)
    reading = {"job": number, "cursor": cursor, "read_at": now}
    connection.execute(_upsert(connection, event_reading, "job"), [reading])


def record_milestones(connection: Connection, key: JobKey, milestones: Sequence[Milestone]) -> None:
    """Keep when the job entered states; nothing for a job that is not there, or that has entered too many."""
    number = _number_of(connection, key)
    kept = connection.scalar(select(func.count()).where(milestone.c.job == number)) or 0
    told = [{"job": number, "state": state, "at": at} for state, at in milestones[: max(MOST_MILESTONES - kept, 0)]]
    if number is not None and told:
        insertion = _insertion(connection, milestone).on_conflict_do_nothing()
        connection.execute(insertion, told)


def points_of(connection: Connection, key: JobKey) -> list[MetricPoint]:
    """Return the points of a job by series and step."""
    statement = (
        select(metric_point.c.series, metric_point.c.step, metric_point.c.value, metric_point.c.at)
        .join(job, job.c.id == metric_point.c.job)
        .where(job.c.source == key.source, job.c.job_id == key.id)
        .order_by(metric_point.c.series, metric_point.c.step)
    )
    rows = connection.execute(statement)
    return [MetricPoint(series, step, float(value), at) for series, step, value, at in rows]


def milestones_of(connection: Connection, key: JobKey) -> list[Milestone]:
    """Return the milestones of a job, in no order."""
    statement = (
        select(milestone.c.state, milestone.c.at)
        .join(job, job.c.id == milestone.c.job)
        .where(job.c.source == key.source, job.c.job_id == key.id)
    )
    # A newer watcher on the same store may know states that this one does not.
    known = set(JobState)
    return [Milestone(JobState(row.state), row.at) for row in connection.execute(statement) if row.state in known]


def last_points(connection: Connection, key: JobKey, count: int = 1) -> list[MetricPoint]:
    """Return the last `count` points of each series of a job, by series and step."""
    rank = func.row_number().over(partition_by=metric_point.c.series, order_by=metric_point.c.step.desc())
    ranked = (
        select(metric_point.c.series, metric_point.c.step, metric_point.c.value, metric_point.c.at, rank.label("rank"))
        .join(job, job.c.id == metric_point.c.job)
        .where(job.c.source == key.source, job.c.job_id == key.id)
        .subquery()
    )
    statement = select(ranked).where(ranked.c.rank <= count).order_by(ranked.c.series, ranked.c.step)
    return [MetricPoint(row.series, row.step, float(row.value), row.at) for row in connection.execute(statement)]


def spread_points(
    connection: Connection, keys: Collection[JobKey], series: str, count: int
) -> dict[JobKey, list[MetricPoint]]:
    """Return up to `count` points of a series for each job that has any, spread evenly over its steps.

    The first and the last one are among them. Each is found by the index: a run may have thousands.
    """
    of_series = and_(metric_point.c.job == job.c.id, metric_point.c.series == series)
    first = select(metric_point.c.step).where(of_series).order_by(metric_point.c.step).limit(1).scalar_subquery()
    last = select(metric_point.c.step).where(of_series).order_by(metric_point.c.step.desc()).limit(1).scalar_subquery()
    wanted = tuple_(job.c.source, job.c.job_id).in_([(key.source, key.id) for key in keys])
    spans = select(job.c.id, job.c.source, job.c.job_id, first.label("first"), last.label("last")).where(wanted)
    span = spans.cte("span").prefix_with("MATERIALIZED")
    picked = union(_next_steps(span, series, count), select(span.c.id, span.c.last)).subquery()
    is_picked = (metric_point.c.job == picked.c.id) & (metric_point.c.step == picked.c.step)
    columns = (span.c.source, span.c.job_id, metric_point.c.step, metric_point.c.value, metric_point.c.at)
    statement = (
        select(*columns)
        .select_from(picked.join(span, span.c.id == picked.c.id).join(metric_point, is_picked))
        .where(metric_point.c.series == series)
        .order_by(span.c.id, metric_point.c.step)
    )
    found: dict[JobKey, list[MetricPoint]] = {}
    for source, job_id, step, value, at in connection.execute(statement).all():
        found.setdefault(JobKey(source, job_id), []).append(MetricPoint(series, step, float(value), at))
    return found


def _next_steps(span: CTE, series: str, count: int) -> Select[tuple[int, int]]:
    """Select the first step at or after each of `count` - 1 even ones of each span."""
    numbers = union_all(*[select(literal(number).label("number")) for number in range(count - 1)]).subquery()
    # Whole numbers as both databases divide them: steps may be too large for any other.
    stride = (span.c.last - span.c.first).op("/", precedence=8, return_type=Number)(literal_column(str(count - 1)))
    even = span.c.first + stride * numbers.c.number
    is_next = (metric_point.c.job == span.c.id, metric_point.c.series == series, metric_point.c.step >= even)
    following = select(func.min(metric_point.c.step)).where(*is_next).correlate(span, numbers).scalar_subquery()
    return select(span.c.id, following.label("step")).select_from(span.join(numbers, true()))


def _number_of(connection: Connection, key: JobKey) -> int | None:
    return connection.scalar(select(job.c.id).where(job.c.source == key.source, job.c.job_id == key.id))


def _insertion(connection: Connection, table: Table) -> Any:
    # The dialect that is in use is loaded already, the other would take 2 MB.
    return import_module(f"sqlalchemy.dialects.{connection.dialect.name}").insert(table)


def _upsert(connection: Connection, table: Table, *keys: str) -> Any:
    statement = _insertion(connection, table)
    others = {c.name: statement.excluded[c.name] for c in table.c if c.name not in keys}
    return statement.on_conflict_do_update(index_elements=list(keys), set_=others)


def _thin(connection: Connection, number: int, series: str) -> None:
    of_series = (metric_point.c.job == number, metric_point.c.series == series)
    if (connection.scalar(select(func.count()).where(*of_series)) or 0) <= MOST_STEPS:
        return
    steps = connection.scalars(select(metric_point.c.step).where(*of_series).order_by(metric_point.c.step)).all()
    gone = set(steps) - set(thinned(steps, MOST_STEPS))
    statement = delete(metric_point).where(*of_series, metric_point.c.step == bindparam("gone"))
    connection.execute(statement, [{"gone": step} for step in sorted(gone)])
