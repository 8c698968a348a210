"""PostgreSQL: how a server is reached, what each transaction relies on, and how long it may keep us waiting."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event

from watcher.store.address import ServerAddress
from watcher.store.errors import BUSY_SECONDS, STALE_CONNECTION, STATEMENT_SECONDS

if TYPE_CHECKING:
    import psycopg

VANISHED_SECONDS = 4
"""How long to wait for a sign of life: from a server that is to be connected to, or that is connected and silent."""
_PINNED = {
    # The driver reads times in no other style.
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    # SQLAlchemy asks for it once, and writes text by it from then on.
    "standard_conforming_strings": "on",
    "bytea_output": "hex",
}
"""Settings that a server, a role, a database or a variable such as PGDATESTYLE may have changed."""
_LIMITS = {"lock_timeout": f"{BUSY_SECONDS}s", "statement_timeout": f"{STATEMENT_SECONDS}s"}
"""Settings that the `options` of the URL may change."""
_OPTION = re.compile(r"(?:-c\s*|--)([A-Za-z_.-]+)\s*=")


class Server:
    """A server, and the one connection to it.

    Every setting that our statements rely on is set in each transaction: behind a pooler such as PgBouncer, what one
    transaction sets for the session is not there in the next one, but in the transactions of others.
    """

    def __init__(self, address: ServerAddress, vanished_seconds: int = VANISHED_SECONDS) -> None:
        self._parameters = {**_bounds(vanished_seconds), **address.parameters, "client_encoding": "UTF8"}
        self._begin_statement = _begin_with(_PINNED | _limits(address.parameters))
        self._connection: psycopg.Connection | None = None

    def engine(self) -> Engine:
        """Make the engine, without connecting yet."""
        engine = create_engine(
            "postgresql+psycopg://",
            connect_args=self._parameters,
            pool_pre_ping=True,
            pool_size=1,
            max_overflow=0,
            hide_parameters=True,
            use_native_hstore=False,
        )
        event.listen(engine, "connect", self._set_up)
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "handle_error", _note_stale_connection)
        return engine

    def check(self) -> None:
        """Do nothing: each use of a connection begins with a question to the server."""

    def cut(self) -> None:
        """End the connection, so that a thread that waits for the server learns at once that it is lost.

        A server that is halted still acknowledges what the network brings it, and so no timeout of the network ends
        that wait. May be called on any thread.
        """
        import psycopg

        with suppress(OSError, psycopg.Error):
            if self._connection:
                with socket.socket(fileno=os.dup(self._connection.fileno())) as connection:
                    connection.shutdown(socket.SHUT_RDWR)

    def _set_up(self, connection: psycopg.Connection, _store: Any) -> None:
        self._connection = connection
        connection.autocommit = True  # transactions are begun by us, below
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        if row != (connection.info.backend_pid,):
            # A pooler answers in place of the server, and may give each transaction another one: a statement that
            # was prepared on one server is unknown on the next.
            connection.prepare_threshold = None

    def _begin(self, connection: Connection) -> None:
        connection.exec_driver_sql(self._begin_statement)


def _note_stale_connection(context: ExceptionContext) -> None:
    """Have the connection closed that leads to a server that is no longer the right one."""
    if getattr(context.original_exception, "sqlstate", None) in STALE_CONNECTION:
        context.is_disconnect = True


def _begin_with(settings: Mapping[str, str]) -> str:
    # In one message, which costs no more time than BEGIN alone. The statements rely on each seeing what others have
    # committed before it, so they do not rely on the default isolation.
    pins = "".join(f"; SET LOCAL {name} = '{value}'" for name, value in settings.items())
    return f"BEGIN ISOLATION LEVEL READ COMMITTED{pins}"


def _limits(parameters: Mapping[str, str]) -> dict[str, str]:
    wished = {name.lower().replace("-", "_") for name in _OPTION.findall(parameters.get("options", ""))}
    return {name: value for name, value in _LIMITS.items() if name not in wished}


def _bounds(vanished_seconds: int) -> dict[str, str]:
    """Return parameters that the URL may change."""
    return {
        "fallback_application_name": "finetune-watcher",
        "connect_timeout": str(vanished_seconds),
        # A server that vanished silently is noticed by these, and not after a quarter of an hour: by the one
        # when it does not acknowledge what we sent, by the others when we wait for its answer.
        "tcp_user_timeout": str(vanished_seconds * 1000),
        "keepalives_idle": "1",
        "keepalives_interval": "1",
        "keepalives_count": str(vanished_seconds - 1),
    }
