"""Which services are alive on a store, and what their settings name: each leaves a sign of life now and then."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from watcher.domain.jobs import JobKey
from watcher.store.schema import service, service_settings

SIGN_OF_LIFE_HOLDS = timedelta(minutes=1)
"""How long after its last sign of life a service is taken for alive; it leaves one every ten seconds."""
KEPT = timedelta(days=7)
"""How long the row of a service that is gone is kept."""


@dataclass(frozen=True, slots=True)
class Named:
    """What settings name to be watched."""

    rules: frozenset[str] = frozenset()
    """The names of rules of discovery."""
    jobs: frozenset[JobKey] = frozenset()


def note_service(connection: Connection, name: str, version: str, now: datetime) -> None:
    """Note that the service of this name is alive."""
    if not connection.execute(update(service).where(service.c.id == name).values(seen_at=now)).rowcount:
        connection.execute(delete(service).where(service.c.seen_at < now - KEPT))
        is_alive = select(service.c.id).where(service.c.id == service_settings.c.service).exists()
        connection.execute(delete(service_settings).where(~is_alive, service_settings.c.service != name))
        connection.execute(insert(service).values(id=name, version=version, started_at=now, seen_at=now))


def note_settings(connection: Connection, name: str, version: str, named: Named, now: datetime) -> None:
    """Note that the service of this name is alive, and what its settings name."""
    note_service(connection, name, version, now)
    connection.execute(delete(service_settings).where(service_settings.c.service == name))
    jobs = sorted([key.source, key.id] for key in named.jobs)
    row = {"service": name, "rules": json.dumps(sorted(named.rules)), "jobs": json.dumps(jobs)}
    connection.execute(insert(service_settings), row)


def named_by_others(connection: Connection, name: str, seen_since: datetime) -> Named | None:
    """Return what the settings of all other services that were alive since then name.

    None when one of them does not say: a program of before the revision 0007.
    """
    rules: set[str] = set()
    jobs: set[JobKey] = set()
    living = (
        select(service_settings.c.rules, service_settings.c.jobs)
        .select_from(service)
        .outerjoin(service_settings, service_settings.c.service == service.c.id)
        .where(service.c.id != name, service.c.seen_at >= seen_since)
    )
    for row in connection.execute(living):
        if row.rules is None:
            return None
        rules.update(json.loads(row.rules))
        jobs.update(JobKey(*key) for key in json.loads(row.jobs))
    return Named(frozenset(rules), frozenset(jobs))


def forget_service(connection: Connection, name: str) -> None:
    """Note that the service of this name has ended."""
    connection.execute(delete(service_settings).where(service_settings.c.service == name))
    connection.execute(delete(service).where(service.c.id == name))


def service_seen(connection: Connection) -> datetime | None:
    """Return when any service was last alive; None when none ever was, or the last one has ended."""
    return connection.execute(select(func.max(service.c.seen_at))).scalar()
