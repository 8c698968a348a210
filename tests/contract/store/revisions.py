"""Databases as other programs leave them: one of before, and one to come."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text

from watcher.store.columns import UtcTime
from watcher.store.database import Database, connect
from watcher.store.migrate import _upgrade
from watcher.store.schema import HEAD, OLDEST_READER, VERSION_TABLE

LATER = "0099"
_LATER_TABLES = (
    "CREATE TABLE note (job BIGINT NOT NULL, words TEXT)",
    "ALTER TABLE job ADD COLUMN colour TEXT",
    "ALTER TABLE transition ADD COLUMN colour TEXT",
    "ALTER TABLE delivery ADD COLUMN colour TEXT",
    "CREATE INDEX job_colour ON job (colour)",
)


def run(url: str, *statements: str, **values: Any) -> list[tuple[Any, ...]]:
    """Run statements in one transaction, as any program could; return the rows of the last one."""
    with closing(connect(url)) as database:
        return [run_on(database, sql, **values) for sql in statements][-1]


def run_on(database: Database, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """Run a statement with those of the values that it names; return its rows."""
    named = {name: value for name, value in values.items() if re.search(rf":{name}\b", sql)}
    moments = [bindparam(name, type_=UtcTime) for name, value in named.items() if isinstance(value, datetime)]
    with database.writing() as connection:
        result = connection.execute(text(sql).bindparams(*moments), named)
        return [tuple(row) for row in result] if result.returns_rows else []


def make_older(url: str, revision: str) -> None:
    """Make a new database as a program of this revision would."""
    with closing(connect(url)) as database:
        if database.path:
            database.path.parent.mkdir(exist_ok=True)
        with database.writing() as connection:
            _upgrade(connection, revision)


def make_newer(url: str, oldest_reader: str = HEAD) -> None:
    """Bring a database to a revision to come, which adds a table, columns that may be null, and an index."""
    mark = f"UPDATE {VERSION_TABLE} SET version_num = '{LATER}', {OLDEST_READER} = '{oldest_reader}'"
    run(url, *_LATER_TABLES, mark)


def revision_of(url: str) -> Sequence[str]:
    """Return the revision of the database, and the oldest that can work with it."""
    ((revision, oldest_reader),) = run(url, f"SELECT version_num, {OLDEST_READER} FROM {VERSION_TABLE}")
    return (revision, oldest_reader)
