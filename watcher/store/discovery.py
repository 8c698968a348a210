"""Rules of discovery: what they have decided, the jobs they bring, and the end of both."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from watcher.domain.discovery import origin_of
from watcher.domain.discovery_line import Line
from watcher.engine.ports import Adopted, Adoption, RecordedLine
from watcher.store.database import serialise
from watcher.store.jobs import let_go, new_row, note_wanted, rows_by_key
from watcher.store.origins import has_origin, with_origin
from watcher.store.schema import discovery_rule, job

LIMITED_FOR = timedelta(days=1)
"""How long a job that has ended counts towards the limit of its rule: made-up jobs that end at once are bounded too."""


def recorded_lines(connection: Connection, source: str) -> dict[str, RecordedLine]:
    """Return the lines of the rules for a source, by the names of the rules."""
    rows = connection.execute(select(discovery_rule).where(discovery_rule.c.source == source))
    return {row.rule: RecordedLine(_line_of(row), row.fingerprint, row.seq) for row in rows}


def adopt(connection: Connection, adoption: Adoption, now: datetime) -> Adopted:
    """Watch jobs and draw the line; two processes may bring the same."""
    serialise(connection)
    wanted = {spec.key: spec for spec in adoption.jobs}
    known = rows_by_key(connection, wanted, job.c.origin, job.c.removed_at)
    new = [spec for spec in wanted.values() if spec.key not in known]
    # What another rule or the configuration brought before, and let go, comes back; what a person removed does not.
    revived = {key: row for key, row in known.items() if row.removed_at is not None and row.origin is not None}
    room = max(adoption.limit - _count(connection, adoption.origin, now), 0) if new or revived else 0
    added, back = new[:room], dict(list(revived.items())[: max(room - len(new), 0)])
    if added:
        connection.execute(insert(job), [new_row(spec, now, adoption.origin) for spec in added])
    watched = {key: row for key, row in known.items() if row.removed_at is None}
    for key, row in sorted((watched | back).items(), key=lambda item: int(item[1].id)):
        origin = with_origin(row.origin, adoption.origin, is_removed=key in back)
        afresh = {"removed_at": None, "due_at": now, "failures": 0, "missing": 0, "last_error": None}
        if origin != row.origin or key in back:
            values = {"origin": origin, **(afresh if key in back else {})}
            connection.execute(update(job).where(job.c.id == row.id).values(values))
    note_wanted(connection, [row.id for row in (watched | back).values()], now)
    _draw(connection, adoption, now)
    return Adopted([*(spec.key for spec in added), *back], len(new) + len(revived) - len(added) - len(back))


def end_rules(connection: Connection, kept: Collection[str], sources: Collection[str], now: datetime) -> dict[str, int]:
    """Forget the rules for these sources that are not kept; return how many jobs each ended the watching of."""
    serialise(connection)
    known = select(discovery_rule.c.rule).where(discovery_rule.c.source.in_(list(sources)))
    ended = [rule for (rule,) in connection.execute(known.order_by(discovery_rule.c.rule)) if rule not in kept]
    for rule in ended:
        connection.execute(delete(discovery_rule).where(discovery_rule.c.rule == rule))
    return {rule: _end(connection, origin_of(rule), now) for rule in ended}


def _end(connection: Connection, origin: str, now: datetime) -> int:
    theirs = select(job.c.id, job.c.origin).where(job.c.removed_at.is_(None), has_origin(origin))
    return let_go(connection, {row.id: row.origin for row in connection.execute(theirs)}, origin, now)


def _count(connection: Connection, origin: str, now: datetime) -> int:
    is_counted = or_(job.c.due_at.is_not(None), job.c.status_since > now - LIMITED_FOR)
    statement = select(func.count()).where(job.c.removed_at.is_(None), is_counted, has_origin(origin))
    return connection.execute(statement).scalar_one()


def _draw(connection: Connection, adoption: Adoption, now: datetime) -> None:
    """Write the line, unless another watcher has drawn one since the one that it is based on."""
    recorded = adoption.line
    values = {**_row_of(recorded.line), "fingerprint": recorded.fingerprint, "scanned_at": now}
    if recorded.seq:
        is_seen = (discovery_rule.c.rule == adoption.rule) & (discovery_rule.c.seq == recorded.seq)
        connection.execute(update(discovery_rule).where(is_seen).values(seq=recorded.seq + 1, **values))
        return
    there = connection.execute(select(discovery_rule.c.seq).where(discovery_rule.c.rule == adoption.rule)).first()
    if there is None:
        row = {"rule": adoption.rule, "source": adoption.source, "seq": 1, **values}
        connection.execute(insert(discovery_rule), row)


def _line_of(row: Row[Any]) -> Line:
    recent: Mapping[str, str | None] = json.loads(row.recent)
    return Line(
        row.before,
        {job_id: _moment(text) for job_id, text in recent.items()},
        frozenset(json.loads(row.undecided)),
        row.is_drawn,
    )


def _row_of(line: Line) -> dict[str, Any]:
    recent = {job_id: at and at.isoformat() for job_id, at in line.recent.items()}
    return {
        "before": line.before,
        "recent": json.dumps(recent),
        "undecided": json.dumps(sorted(line.undecided)),
        "is_drawn": line.is_drawn,
    }


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
