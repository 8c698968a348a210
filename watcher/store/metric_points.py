"""The metric points of jobs, and where the reading of their events stands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

from sqlalchemy import (
    CTE,
    Connection,
    Insert,
    Select,
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
from watcher.domain.telemetry import MetricPoint, thinned
from watcher.store.columns import Number
from watcher.store.schema import event_reading, job, metric_point

MOST_STEPS = 2_000
"""Points of one series of a job that are kept; of more, every other one goes."""
LARGEST_STEP = 2**63 - 1


def events_cursor(connection: Connection, key: JobKey) -> str | None:
    """Return the cursor that the events of the job were last read with."""
    statement = select(event_reading.c.cursor).join(job, job.c.id == event_reading.c.job)
    return connection.scalar(statement.where(job.c.source == key.source, job.c.job_id == key.id))


def record_points(
    connection: Connection, key: JobKey, points: Sequence[MetricPoint], cursor: str | None, now: datetime
) -> None:
    """Keep what was read of a job's events; what is there already is replaced. Nothing for a job that is not there."""
    number = connection.scalar(select(job.c.id).where(job.c.source == key.source, job.c.job_id == key.id))
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


def points_of(connection: Connection, key: JobKey) -> list[MetricPoint]:
    """Return the points of a job by series and step."""
    statement = (
        select(metric_point.c.series, metric_point.c.step, metric_point.c.value, metric_point.c.at)
        .join(job, job.c.id == metric_point.c.job)
        .where(job.c.source == key.source, job.c.job_id == key.id)
        .order_by(metric_point.c.series, metric_point.c.step)
    )
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


def _upsert(connection: Connection, table: object, *keys: str) -> Insert:
    # The one that is in use is loaded already, the other would take 2 MB.
    dialect: Any = import_module(f"sqlalchemy.dialects.{connection.dialect.name}")
    statement = dialect.insert(table)
    others = {c.name: statement.excluded[c.name] for c in table.c if c.name not in keys}  # type: ignore[attr-defined]
    upsert: Insert = statement.on_conflict_do_update(index_elements=list(keys), set_=others)
    return upsert


def _thin(connection: Connection, number: int, series: str) -> None:
    of_series = (metric_point.c.job == number, metric_point.c.series == series)
    if (connection.scalar(select(func.count()).where(*of_series)) or 0) <= MOST_STEPS:
        return
    steps = connection.scalars(select(metric_point.c.step).where(*of_series).order_by(metric_point.c.step)).all()
    gone = set(steps) - set(thinned(steps, MOST_STEPS))
    statement = delete(metric_point).where(*of_series, metric_point.c.step == bindparam("gone"))
    connection.execute(statement, [{"gone": step} for step in sorted(gone)])
