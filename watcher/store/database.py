"""Connections to the database, and the transactions on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from watcher.errors import ConfigurationError
from watcher.store.address import FileAddress, parse_url
from watcher.store.errors import in_plain_words
from watcher.store.postgresql import Server
from watcher.store.sqlite import BEGIN, BEGIN_WRITING, DatabaseFile
from watcher.store.timeouts import USUAL_WAITS, Waits

_ADVISORY_LOCK = 0x66_74_77
"""Any number would do, as long as every watcher uses the same."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database, and what to call it in messages."""

    engine: Engine = field(repr=False)
    label: str
    """Its path, or its address without what is secret."""
    place: DatabaseFile | Server = field(repr=False)

    @property
    def path(self) -> Path | None:
        """The file of an SQLite database."""
        return self.place.path if isinstance(self.place, DatabaseFile) else None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Run a transaction that only reads. Raises StoreError."""
        self.place.check()
        with in_plain_words(self.label), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Run a transaction that writes.

        Raises StoreError, and then nothing was written, unless into a file that was deleted at this very moment.
        """
        self.place.check()
        with in_plain_words(self.label), self.engine.connect() as connection:
            connection.execution_options(**{BEGIN: BEGIN_WRITING})
            with connection.begin():
                yield connection
        self.place.check()

    @contextmanager
    def outside_transactions(self) -> Iterator[Connection]:
        """Run statements of SQLite that no transaction may hold. Raises StoreError."""
        with in_plain_words(self.label), self.engine.connect() as connection:
            yield connection.execution_options(**{BEGIN: None})

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def connect(url: str, waits: Waits = USUAL_WAITS) -> Database:
    """Make ready to connect to the database at `url`, without doing so yet. Raises ConfigurationError."""
    try:
        address = parse_url(url)
    except ConfigurationError as error:
        raise ConfigurationError(f"store.url: {error}") from None
    if isinstance(address, FileAddress):
        file = DatabaseFile(address.path, waits)
        return Database(file.engine(), str(file.path), file)
    server = Server(address)
    return Database(server.engine(), address.label, server)


def serialise(connection: Connection) -> None:
    """Make this transaction wait for any other that has asked for the same.

    SQLite has but one writer at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
