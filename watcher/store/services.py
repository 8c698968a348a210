"""Which services are alive on a store: each leaves a sign of life now and then."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from watcher.store.schema import service

KEPT = timedelta(days=7)
"""How long the row of a service that is gone is kept."""


def note_service(connection: Connection, name: str, version: str, now: datetime) -> None:
    """Note that the service of this name is alive."""
    if not connection.execute(update(service).where(service.c.id == name).values(seen_at=now)).rowcount:
        connection.execute(delete(service).where(service.c.seen_at < now - KEPT))
        connection.execute(insert(service).values(id=name, version=version, started_at=now, seen_at=now))


def forget_service(connection: Connection, name: str) -> None:
    """Note that the service of this name has ended."""
    connection.execute(delete(service).where(service.c.id == name))


def service_seen(connection: Connection) -> datetime | None:
    """Return when any service was last alive; None when none ever was, or the last one has ended."""
    return connection.execute(select(func.max(service.c.seen_at))).scalar()
