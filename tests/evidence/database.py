"""What the watcher's database contains, read by plain SQL: this shares no code with the watcher's store."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

_TRANSITIONS = """
    SELECT job.job_id, transition.seq, transition.event_id, transition.previous_status, transition.status
    FROM transition JOIN job ON job.id = transition.job
    ORDER BY job.job_id, transition.seq
"""
_DELIVERIES = """
    SELECT delivery.notifier, transition.event_id, delivery.state
    FROM delivery JOIN job ON job.id = delivery.job
    JOIN transition ON transition.job = delivery.job AND transition.seq = delivery.seq
    ORDER BY delivery.id
"""
_STATUSES = "SELECT job_id, status FROM job"
_CONDITIONS = "SELECT subject, state FROM condition WHERE state IS NOT NULL"
_EXPIRE_CLAIMS = """
    UPDATE delivery SET claimed_until = '2026-01-01 00:00:00.000000+00:00'
    WHERE claimed_until IS NOT NULL AND state = 'pending'
"""
_CLAIMED = "SELECT count(*) FROM delivery WHERE state = 'pending' AND claimed_until IS NOT NULL"
_PENDING = "SELECT count(*) FROM delivery WHERE state = 'pending'"


@dataclass(frozen=True, slots=True)
class RecordedTransition:
    """A transition in the database."""

    job: str
    seq: int
    id: str
    previous_status: str | None
    status: str


@dataclass(frozen=True, slots=True)
class RecordedDelivery:
    """A delivery in the database."""

    notifier: str
    id: str
    """The event to deliver."""
    state: str


@dataclass(frozen=True, slots=True)
class DatabaseContents:
    """The transitions and the deliveries of the jobs, without the watcher's own conditions."""

    transitions: Sequence[RecordedTransition]
    deliveries: Sequence[RecordedDelivery]

    def histories(self) -> Mapping[str, list[RecordedTransition]]:
        """Return the transitions of each job, in order."""
        found: defaultdict[str, list[RecordedTransition]] = defaultdict(list)
        for transition in self.transitions:
            found[transition.job].append(transition)
        return found

    def states(self) -> Counter[str]:
        """Count the deliveries by their state."""
        return Counter(delivery.state for delivery in self.deliveries)


def read_database(url: str) -> DatabaseContents:
    """Read the database at a `sqlite:///` or `postgresql://` URL."""
    transitions, deliveries = _rows(url, _TRANSITIONS, _DELIVERIES)
    return DatabaseContents(
        [RecordedTransition(*row) for row in transitions], [RecordedDelivery(*row) for row in deliveries]
    )


def pending_count(url: str) -> int:
    """Count the pending deliveries, those of conditions included."""
    ((count,),) = _rows(url, _PENDING)[0]
    return int(count)


def claimed_count(url: str) -> int:
    """Count the pending deliveries that a watcher has claimed."""
    ((count,),) = _rows(url, _CLAIMED)[0]
    return int(count)


def current_statuses(url: str) -> Mapping[str, str | None]:
    """Return the recorded status of each job."""
    return {job: status for job, status in _rows(url, _STATUSES)[0]}  # noqa: C416 - rows are no pairs to a type checker


def current_conditions(url: str) -> Mapping[str, str]:
    """Return the recorded state of each condition, by its subject."""
    return {str(subject): str(state) for subject, state in _rows(url, _CONDITIONS)[0]}


def expire_claims(url: str) -> int:
    """Expire the claims of deliveries, as half a minute does after a crash; return how many there were."""
    # A watcher may be killed before it has created the file or the table.
    if not url.startswith("sqlite:///"):
        with psycopg.connect(url) as server:
            has_table = server.execute("SELECT to_regclass('delivery')").fetchone() != (None,)
            return server.execute(_EXPIRE_CLAIMS.encode()).rowcount if has_table else 0
    if not Path(url.removeprefix("sqlite:///")).exists():
        return 0
    with closing(_sqlite(url, "rw")) as connection, connection:
        has_table = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'delivery'").fetchone()
        return connection.execute(_EXPIRE_CLAIMS).rowcount if has_table else 0


def make_due(url: str) -> None:
    """Make every waiting job due now. SQLite only."""
    with closing(_sqlite(url, "rw")) as connection, connection:
        connection.execute("UPDATE job SET due_at = '2026-01-01 00:00:00.000000+00:00' WHERE due_at IS NOT NULL")


def _sqlite(url: str, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode={mode}", uri=True, timeout=20)


def _rows(url: str, *statements: str) -> list[Iterable[Sequence[Any]]]:
    """Run the statements in one transaction, so that all see the same state of the database."""
    if url.startswith("sqlite:///"):
        with closing(_sqlite(url, "ro")) as connection:
            connection.execute("BEGIN")
            return [connection.execute(statement).fetchall() for statement in statements]
    with psycopg.connect(url) as server:
        server.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return [server.execute(statement.encode()).fetchall() for statement in statements]
