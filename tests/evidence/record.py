"""What the watcher's record says, read by plain SQL: a witness that shares no code with the one who wrote it."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.evidence.accepted import OWN_SOURCE

_TRANSITIONS = f"""
    SELECT job.job_id, transition.seq, transition.event_id, transition.previous_status, transition.status
    FROM transition JOIN job ON job.id = transition.job WHERE job.source <> '{OWN_SOURCE}'
    ORDER BY job.job_id, transition.seq
"""
_DELIVERIES = f"""
    SELECT delivery.notifier, transition.event_id, delivery.state
    FROM delivery JOIN job ON job.id = delivery.job
    JOIN transition ON transition.job = delivery.job AND transition.seq = delivery.seq
    WHERE job.source <> '{OWN_SOURCE}' ORDER BY delivery.id
"""
_STATUSES = f"SELECT job_id, status FROM job WHERE source <> '{OWN_SOURCE}'"
_EXPIRE = """
    UPDATE delivery SET claimed_until = '2026-01-01 00:00:00.000000+00:00'
    WHERE claimed_until IS NOT NULL AND state = 'pending'
"""
_CLAIMED = "SELECT count(*) FROM delivery WHERE state = 'pending' AND claimed_until IS NOT NULL"
_UNSETTLED = "SELECT count(*) FROM delivery WHERE state = 'pending'"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A transition of the record."""

    job: str
    seq: int
    id: str
    previous_status: str | None
    status: str


@dataclass(frozen=True, slots=True)
class Owed:
    """A delivery of the record."""

    notifier: str
    id: str
    """The transition that is owed."""
    state: str


@dataclass(frozen=True, slots=True)
class Record:
    """The transitions and the deliveries of the jobs, without the watcher's own conditions."""

    transitions: Sequence[Recorded]
    deliveries: Sequence[Owed]

    def histories(self) -> Mapping[str, list[Recorded]]:
        """Return the transitions of each job, in order."""
        found: defaultdict[str, list[Recorded]] = defaultdict(list)
        for transition in self.transitions:
            found[transition.job].append(transition)
        return found

    def states(self) -> Counter[str]:
        """Count the deliveries by their state."""
        return Counter(delivery.state for delivery in self.deliveries)


def read_record(url: str) -> Record:
    """Read the record at a `sqlite:///` or `postgresql://` URL, as it stands now."""
    transitions, deliveries = _rows(url, _TRANSITIONS, _DELIVERIES)
    return Record([Recorded(*row) for row in transitions], [Owed(*row) for row in deliveries])


def pending(url: str) -> int:
    """Count the deliveries that are still owed, conditions among them."""
    ((count,),) = _rows(url, _UNSETTLED)[0]
    return int(count)


def claimed(url: str) -> int:
    """Count the deliveries that somebody has in hand."""
    ((count,),) = _rows(url, _CLAIMED)[0]
    return int(count)


def statuses(url: str) -> Mapping[str, str | None]:
    """Return the status of each job as it is recorded now."""
    return {job: status for job, status in _rows(url, _STATUSES)[0]}  # noqa: C416 - rows are no pairs to a type checker


def expire_claims(url: str) -> int:
    """Let the claims of deliveries be over, as they are half a minute after a crash; return how many there were."""
    if not url.startswith("sqlite:///"):
        with psycopg.connect(url) as server:
            return server.execute(_EXPIRE.encode()).rowcount
    if not Path(url.removeprefix("sqlite:///")).exists():
        return 0  # no watcher has lived long enough to make it
    with closing(_sqlite(url, "rw")) as connection, connection:
        has_table = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'delivery'").fetchone()
        return connection.execute(_EXPIRE).rowcount if has_table else 0


def make_due(url: str) -> None:
    """Let the waits of jobs be over, as they are in some minutes: for SQLite only."""
    with closing(_sqlite(url, "rw")) as connection, connection:
        connection.execute("UPDATE job SET due_at = '2026-01-01 00:00:00.000000+00:00' WHERE due_at IS NOT NULL")


def _sqlite(url: str, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode={mode}", uri=True, timeout=20)


def _rows(url: str, *statements: str) -> list[Iterable[Sequence[Any]]]:
    """Run the statements on one state of the database."""
    if url.startswith("sqlite:///"):
        with closing(_sqlite(url, "ro")) as connection:
            connection.execute("BEGIN")
            return [connection.execute(statement).fetchall() for statement in statements]
    with psycopg.connect(url) as server:
        server.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return [server.execute(statement.encode()).fetchall() for statement in statements]
