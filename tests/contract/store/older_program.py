"""A program of an earlier version that runs since before a migration: what it does to the tables, in its own SQL."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from tests.contract.store.revisions import run_on
from tests.contract.store.scenes import MINUTE, NOON
from watcher.domain.conditions import OWN_SOURCE
from watcher.domain.transitions import event_id
from watcher.store.database import Database

_COLUMNS = "id, source, job_id, name, labels, status, seq, status_since, due_at, failures, missing, last_error"
_FORECAST = "forecast_at, forecast_basis, forecast_made_at"
_NUMBER = "(SELECT id FROM job WHERE source = :source AND job_id = :id)"
_DUE = (
    "SELECT delivery.id FROM delivery WHERE notifier = 'pager' AND state = 'pending' AND next_at <= :now"
    " AND (claimed_until IS NULL OR claimed_until <= :now) AND NOT (EXISTS (SELECT earlier.id FROM delivery AS earlier"
    " WHERE earlier.job = delivery.job AND earlier.notifier = delivery.notifier AND earlier.seq < delivery.seq"
    " AND earlier.state = 'pending')) ORDER BY next_at, id LIMIT 10"
)
_IS_OVER = "(job.status IN ('succeeded', 'failed', 'cancelled') OR job.removed_at IS NOT NULL OR source = '@watcher')"

_OF_0001 = {
    "add": "INSERT INTO job (source, job_id, labels, seq, added_at, due_at, failures, missing)"
    " VALUES (:source, :id, '{}', 0, :now, :now, 0, 0)",
    "remove": f"UPDATE job SET removed_at = :now, due_at = NULL WHERE id = {_NUMBER}",
    "take": "UPDATE job SET due_at = :until WHERE id IN (SELECT id FROM job WHERE source = 'openai' AND due_at <= :now"
    f" AND removed_at IS NULL ORDER BY due_at, id LIMIT 10) RETURNING {_COLUMNS}",
    "move": "UPDATE job SET status = :status, seq = :seq, status_since = :now, due_at = :until, failures = 0,"
    f" missing = 0, last_error = NULL WHERE id = {_NUMBER} AND seq = :seen AND removed_at IS NULL RETURNING id",
    "keep": "INSERT INTO transition (job, seq, event_id, previous_status, status, reason, skipped, observed_at,"
    f" previous_since, name, labels, facts, document) VALUES ({_NUMBER}, :seq, :event_id, NULL, :status, 'first_seen',"
    " '[]', :now, NULL, NULL, '{}', :facts, :document)",
    "owe": "INSERT INTO delivery (job, seq, notifier, state, attempts, next_at, give_up_at)"
    f" VALUES ({_NUMBER}, :seq, 'pager', 'pending', 0, :now, :until)",
    "claim": f"UPDATE delivery SET claimed_until = :until WHERE id IN ({_DUE}) RETURNING id",
    "read": "SELECT delivery.id, job.job_id, transition.status, transition.document FROM delivery"
    " JOIN transition ON transition.job = delivery.job AND transition.seq = delivery.seq"
    " JOIN job ON job.id = transition.job WHERE delivery.claimed_until = :until ORDER BY delivery.id",
    "settle": "UPDATE delivery SET state = 'delivered', attempts = attempts + 1, claimed_until = NULL,"
    " settled_at = :now WHERE id = :number AND state = 'pending' AND claimed_until = :until RETURNING id",
    "prune deliveries": "DELETE FROM delivery WHERE id IN (SELECT delivery.id FROM delivery WHERE settled_at < :now AND"
    f" (EXISTS (SELECT job.id FROM job WHERE job.id = delivery.job AND {_IS_OVER})) ORDER BY settled_at LIMIT 500)",
    "prune transitions": "DELETE FROM transition WHERE (job, seq) IN (SELECT transition.job, transition.seq"
    " FROM transition WHERE observed_at < :now AND (EXISTS (SELECT job.id FROM job WHERE job.id = transition.job"
    f" AND {_IS_OVER})) AND NOT (EXISTS (SELECT delivery.id FROM delivery WHERE delivery.job = transition.job"
    " AND delivery.seq = transition.seq)) ORDER BY observed_at LIMIT 500)",
    "prune jobs": "DELETE FROM job WHERE id IN (SELECT job.id FROM job WHERE job.removed_at < :now AND NOT"
    " (EXISTS (SELECT transition.seq FROM transition WHERE transition.job = job.id)) LIMIT 500)",
}
_OF_0002 = _OF_0001 | {
    "add": "INSERT INTO job (source, job_id, labels, seq, added_at, due_at, failures, missing, asserted_at)"
    " VALUES (:source, :id, '{}', 0, :now, :now, 0, 0, :now)",
    "take": f"{_OF_0001['take']}, {_FORECAST}",
    "move": _OF_0001["move"].replace(
        "last_error = NULL", "last_error = NULL, forecast_at = NULL, forecast_basis = NULL, forecast_made_at = NULL"
    ),
    "forecast": "UPDATE job SET forecast_at = :until, forecast_basis = 'history', forecast_made_at = :now"
    f" WHERE id = {_NUMBER}",
}
_STATEMENTS = {"0001": _OF_0001, "0002": _OF_0002}


class OlderProgram:
    """A program of a revision, with a connection of its own."""

    def __init__(self, database: Database, revision: str) -> None:
        self._database = database
        self._statements = _STATEMENTS[revision]
        self.has_forecasts = "forecast" in self._statements

    def does(self, what: str, now: datetime = NOON, **values: Any) -> list[tuple[Any, ...]]:
        """Run one of its statements; what it claims, it claims for a minute."""
        return run_on(self._database, self._statements[what], now=now, until=now + MINUTE, **values)

    def takes(self, now: datetime = NOON) -> list[str]:
        """Take due jobs; return their ids."""
        return [row[2] for row in self.does("take", now)]

    def moves(self, job_id: str, status: str, *, seen: int, now: datetime = NOON, **how: Any) -> int | None:
        """See a job in another status, and owe that to `pager`; return the new number, None if it came too late."""
        source: str = how.get("source", "openai")
        seq: int = how.get("seq", seen + 1)
        condition = {"type": "watcher.source.unreachable", "title": "openai is unreachable", "good": False}
        values: dict[str, Any] = {
            "source": source,
            "id": job_id,
            "status": status,
            "seq": seq,
            "seen": seen,
            "event_id": event_id(source, job_id, seq),
            "facts": json.dumps({"model": "gpt-4o-mini"} if source != OWN_SOURCE else {}),
            "document": json.dumps({"id": job_id} if source != OWN_SOURCE else {**condition, "facts": [], "data": {}}),
        }
        if not self.does("move", now, **values):
            return None
        for what in ("keep", "owe"):
            self.does(what, now, **values)
        return seq

    def claims(self, now: datetime = NOON) -> list[tuple[Any, ...]]:
        """Claim what is due for `pager`; return the deliveries that it can read: id, job, status, document."""
        self.does("claim", now)
        return self.does("read", now)

    def settles(self, deliveries: list[tuple[Any, ...]], now: datetime = NOON) -> None:
        """Write that they arrived."""
        for number, *_ in deliveries:
            assert self.does("settle", now, number=number)

    def lives(self, number: int) -> None:
        """Watch a job, see it run, and tell of that."""
        job_id = f"ftjob-{number}"
        self.does("add", source="openai", id=job_id)
        assert self.takes() == [job_id]
        assert self.moves(job_id, "running", seen=0, seq=number) == number
        claimed = self.claims()
        assert [row[1] for row in claimed] == [job_id]
        self.settles(claimed)

    def prunes(self, now: datetime) -> None:
        """Delete what is over since before then."""
        for what in ("deliveries", "transitions", "jobs"):
            self.does(f"prune {what}", now)
