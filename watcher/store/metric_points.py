"""The metric points of jobs, and where the reading of their events stands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Insert, Select, and_, bindparam, delete, func, literal, or_, select, union_all

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
    first = select(metric_point.c.step).where(of_series).order_by(metric_point.c.step).limit(1)
    last = select(metric_point.c.step).where(of_series).order_by(metric_point.c.step.desc()).limit(1)
    wanted = or_(*[and_(job.c.source == key.source, job.c.job_id == key.id) for key in keys])
    spans = select(
        job.c.id,
        job.c.source,
        job.c.job_id,
        first.scalar_subquery().label("first"),
        last.scalar_subquery().label("last"),
    )
    found: dict[JobKey, list[MetricPoint]] = {}
    for number, source, job_id, begin, end in connection.execute(spans.where(wanted)).all():
        if begin is not None:
            stride = max((end - begin) // max(count - 1, 1), 1)
            asked = {"number": number, "wanted_series": series, "begin": begin, "end": end, "stride": stride}
            rows = connection.execute(_evenly(count), asked)
            found[JobKey(source, job_id)] = [MetricPoint(series, row.step, float(row.value), row.at) for row in rows]
    return found


@cache
def _evenly(count: int) -> Select[tuple[int, str, datetime]]:
    """Return the statement that finds the last point of a series, and the next one after each of some even steps."""
    of_series = (metric_point.c.job == bindparam("number"), metric_point.c.series == bindparam("wanted_series"))
    numbers = union_all(*[select(literal(number).label("number")) for number in range(count - 1)]).subquery()
    even = bindparam("begin", type_=Number) + bindparam("stride", type_=Number) * numbers.c.number
    point = metric_point.alias("next_point")
    is_next = (point.c.job == bindparam("number"), point.c.series == bindparam("wanted_series"), point.c.step >= even)
    following = select(func.min(point.c.step)).where(*is_next).correlate(numbers).scalar_subquery()
    # Found by the index; a condition beside this one would be tried on every point of the series.
    picked = union_all(select(following).select_from(numbers), select(bindparam("end", type_=Number)))
    columns = (metric_point.c.step, metric_point.c.value, metric_point.c.at)
    return select(*columns).where(*of_series, metric_point.c.step.in_(picked)).order_by(metric_point.c.step)


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
