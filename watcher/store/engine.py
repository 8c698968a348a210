"""Connections to the database, and the transactions on them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError

from watcher.errors import ConfigurationError
from watcher.store.faults import BUSY_SECONDS, STATEMENT_SECONDS, in_plain_words

URL_RULE = "store.url: expected sqlite:////path/of/file.db or postgresql://user:password@host/database"
"""What `connect` accepts, for error messages."""
_BEGIN = "watcher_begin"
_SECRETS = ("password", "sslpassword")
"""Parameters of a PostgreSQL URL that nobody may see."""
_ADVISORY_LOCK = 0x66_74_77
"""Any number would do, as long as every watcher uses the same."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database, and what to call it in messages."""

    engine: Engine = field(repr=False)
    label: str
    """Its path, or its address without what is secret."""
    path: Path | None = None
    """The file of an SQLite database."""

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Run a transaction that only reads. Raises StoreError."""
        with in_plain_words(self.label), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Run a transaction that writes. Raises StoreError, and then nothing was written."""
        with in_plain_words(self.label), self.engine.connect() as connection:
            # One that began as a reader could not wait for its turn to write: SQLite would refuse it at once.
            connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
            with connection.begin():
                yield connection

    @contextmanager
    def outside_transactions(self) -> Iterator[Connection]:
        """Run statements of SQLite that no transaction may hold. Raises StoreError."""
        with in_plain_words(self.label), self.engine.connect() as connection:
            yield connection.execution_options(**{_BEGIN: None})

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def connect(url: str) -> Database:
    """Make ready to connect to the database at `url`, without doing so yet. Raises ConfigurationError."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError(URL_RULE) from None
    if address.drivername == "sqlite":
        return _sqlite(address)
    if address.drivername == "postgresql":
        return _postgresql(address)
    raise ConfigurationError(URL_RULE)


def serialise(connection: Connection) -> None:
    """Make this transaction wait for any other that has asked for the same.

    SQLite has but one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})


def _sqlite(address: URL) -> Database:
    path = address.database
    if not path or path == ":memory:" or address.host or address.query:
        raise ConfigurationError(URL_RULE)
    engine = create_engine(
        URL.create("sqlite", database=path),
        connect_args={"timeout": BUSY_SECONDS},
        hide_parameters=True,
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return Database(engine, path, Path(path))


def _set_up_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by us, below
    connection.execute("PRAGMA foreign_keys = ON")
    # A power cut must not take back a transition whose alert has already been sent.
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: Connection) -> None:
    if statement := connection.get_execution_options().get(_BEGIN, "BEGIN"):
        connection.exec_driver_sql(statement)


def _postgresql(address: URL) -> Database:
    if "@" in f"{address.host}{address.database}":
        # What follows the first @ of a password has been taken for these, and would be shown.
        raise ConfigurationError("store.url: write an @ in the user name or the password as %40, a / as %2F")
    try:
        import psycopg  # noqa: F401 - only to know whether it is there
    except ImportError:
        raise ConfigurationError("store.url: PostgreSQL needs a driver: install finetune-watcher[postgresql]") from None
    # SQLAlchemy masks only a password in its usual place.
    secrets = {name: value for name in _SECRETS if (value := _parameter(address, name))}
    shown = address.difference_update_query(_SECRETS)
    engine = create_engine(
        shown.set(drivername="postgresql+psycopg"),
        connect_args=_bounds(address) | secrets,
        pool_pre_ping=True,
        pool_size=1,
        max_overflow=0,
        hide_parameters=True,
    )
    return Database(engine, shown.set(query={}).render_as_string(hide_password=True))


def _bounds(address: URL) -> dict[str, Any]:
    options = f"-c lock_timeout={BUSY_SECONDS}s -c statement_timeout={STATEMENT_SECONDS}s"
    return {
        "connect_timeout": BUSY_SECONDS,
        # A server that vanished without a word is noticed by this, and not after a quarter of an hour.
        "tcp_user_timeout": STATEMENT_SECONDS * 1000,
        # What the URL asks for comes last, and wins.
        "options": f"{options} {_parameter(address, 'options')}".rstrip(),
    }


def _parameter(address: URL, name: str) -> str:
    value = address.query.get(name, "")
    return value if isinstance(value, str) else value[-1]
