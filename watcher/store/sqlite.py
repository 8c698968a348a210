"""SQLite: how a file is opened, whether it is still the one that was opened, and how long to wait for a turn."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from watcher.errors import StoreUnavailableError
from watcher.store.timeouts import USUAL_WAITS, Waits

BEGIN = "watcher_begin"
"""The option of a connection that says how its transactions begin; None for not at all."""
BEGIN_WRITING = "BEGIN IMMEDIATE"
"""One that began as a reader could not wait for its turn to write: SQLite would refuse it at once."""


class DatabaseFile:
    """The file of a database."""

    def __init__(self, path: Path, waits: Waits = USUAL_WAITS) -> None:
        self.path = path
        self._waits = waits
        self._opened: tuple[int, int] | None = None
        """The file that the name stood for at first."""
        self._patience = waits.busy_seconds

    def engine(self) -> Engine:
        """Make the engine, without touching the file yet."""
        engine = create_engine(
            URL.create("sqlite", database=str(self.path)),
            connect_args={"timeout": self._waits.busy_seconds},
            hide_parameters=True,
        )
        event.listen(engine, "connect", self._set_up)
        event.listen(engine, "begin", self._begin)
        return engine

    def check(self) -> None:
        """Raise StoreUnavailableError when the name stands for no file any more, or for another one.

        What is written then goes into a file that has no name any more; and a connection made then would begin an
        empty one under the old name.
        """
        try:
            found = self.path.stat()
        except FileNotFoundError:
            if self._opened is None:
                return
            raise StoreUnavailableError(
                f"the database {self.path} was deleted while it was in use: put it back, or restart the watcher to"
                " begin a new one"
            ) from None
        except OSError as error:
            raise StoreUnavailableError(f"the database {self.path} cannot be reached: {error.strerror}") from None
        identity = (found.st_dev, found.st_ino)
        self._opened = self._opened or identity
        if identity != self._opened:
            raise StoreUnavailableError(
                f"the database {self.path} was replaced by another file while it was in use: put back the one before,"
                " or restart the watcher to go on with this one"
            )

    def cut(self) -> None:
        """Do nothing: there is no connection to cut, and SQLite ends its waits by itself."""

    def _begin(self, connection: Connection) -> None:
        statement = connection.get_execution_options().get(BEGIN, "BEGIN")
        if statement == BEGIN_WRITING:
            self._wait_for_turn(connection)
        elif statement:
            connection.exec_driver_sql(statement)

    def _wait_for_turn(self, connection: Connection) -> None:
        if connection.info["patience"] != self._patience:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(self._patience * 1000)}")
            connection.info["patience"] = self._patience
        try:
            connection.exec_driver_sql(BEGIN_WRITING)
        except OperationalError:
            self._patience = self._waits.brief_seconds
            raise
        self._patience = self._waits.busy_seconds

    def _set_up(self, connection: sqlite3.Connection, record: Any) -> None:
        record.info["patience"] = self._waits.busy_seconds
        connection.isolation_level = None  # transactions are begun by us, above
        connection.execute("PRAGMA foreign_keys = ON")
        # A power cut must not take back a transition whose alert has already been sent.
        connection.execute("PRAGMA synchronous = FULL")
