"""Silences. They are read in the transaction that records an event, so that each holds from the moment it is made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from watcher.domain.silences import Silence
from watcher.store.rows import text_of_labels
from watcher.store.schema import silence


def add_silence(connection: Connection, wanted: Silence, now: datetime) -> Silence:
    """Mute what a silence says from now on; return it with its name."""
    values = {
        "labels": text_of_labels(wanted.labels),
        "source": wanted.source,
        "reason": wanted.reason,
        "created_at": now,
        "until": wanted.until,
        "created_by": wanted.created_by,
    }
    number: int = connection.execute(insert(silence).values(values).returning(silence.c.id)).scalar_one()
    return replace(wanted, name=str(number), created_at=now)


def list_silences(connection: Connection, ending_after: datetime | None = None, limit: int = 1000) -> list[Silence]:
    """Return silences, the newest first: those that end after a moment, else all."""
    statement = select(silence).order_by(silence.c.id.desc()).limit(limit)
    if ending_after is not None:
        statement = statement.where(silence.c.until > ending_after)
    return list(map(_silence_of, connection.execute(statement)))


def silences_since(connection: Connection, moments: Sequence[datetime]) -> list[Silence]:
    """Return the silences that may mute events of these moments, the oldest first: it is the one that is named."""
    if not moments:
        return []
    found = select(silence).where(silence.c.until > min(moments)).order_by(silence.c.id)
    return list(map(_silence_of, connection.execute(found)))


def expire_silence(connection: Connection, number: int, now: datetime) -> bool:
    """End a silence now; return whether it was in force."""
    is_in_force = silence.c.until > now
    return connection.execute(update(silence).where(silence.c.id == number, is_in_force).values(until=now)).rowcount > 0


def _silence_of(row: Row[Any]) -> Silence:
    return Silence(
        str(row.id), row.until, json.loads(row.labels), row.source, row.reason, row.created_at, row.created_by
    )
