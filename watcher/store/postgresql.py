"""PostgreSQL: how a server is reached, and how long it may keep us waiting."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Engine, create_engine, event

from watcher.errors import ConfigurationError
from watcher.store.errors import BUSY_SECONDS, STATEMENT_SECONDS

if TYPE_CHECKING:
    import psycopg

VANISHED_SECONDS = 4
"""How long to wait for a sign of life: from a server that is to be connected to, or that is connected and silent."""
_SECRETS = ("password", "sslpassword")
"""Parameters of a URL that nobody may see."""


class Server:
    """A server, and the one connection to it."""

    def __init__(self, address: URL) -> None:
        """Raises ConfigurationError when there is no driver, or the URL is not what it seems."""
        if "@" in f"{address.host}{address.database}":
            # What follows the first @ of a password has been taken for these, and would be shown.
            raise ConfigurationError("store.url: write an @ in the user name or the password as %40, a / as %2F")
        try:
            import psycopg  # noqa: F401 - only to know whether it is there
        except ImportError:
            raise ConfigurationError(
                "store.url: PostgreSQL needs a driver: install finetune-watcher[postgresql]"
            ) from None
        # SQLAlchemy masks only a password in its usual place.
        self._secrets = {name: value for name in _SECRETS if (value := _parameter(address, name))}
        self._address = address.difference_update_query(_SECRETS)
        self._connection: psycopg.Connection | None = None

    @property
    def label(self) -> str:
        """Its address without what is secret."""
        return self._address.set(query={}).render_as_string(hide_password=True)

    def engine(self) -> Engine:
        """Make the engine, without connecting yet."""
        engine = create_engine(
            self._address.set(drivername="postgresql+psycopg"),
            connect_args=_bounds(self._address) | self._secrets,
            pool_pre_ping=True,
            pool_size=1,
            max_overflow=0,
            hide_parameters=True,
        )
        event.listen(engine, "connect", self._note)
        return engine

    def check(self) -> None:
        """Do nothing: each use of a connection begins with a question to the server."""

    def cut(self) -> None:
        """End the connection, so that whoever waits for the server learns at once that it is lost.

        A server that is halted still acknowledges what the network brings it, and so no timeout of the network ends
        that wait. May be called on any thread.
        """
        import psycopg

        with suppress(OSError, psycopg.Error):
            if self._connection:
                with socket.socket(fileno=os.dup(self._connection.fileno())) as connection:
                    connection.shutdown(socket.SHUT_RDWR)

    def _note(self, connection: psycopg.Connection, _store: Any) -> None:
        self._connection = connection


def _bounds(address: URL) -> dict[str, Any]:
    options = f"-c lock_timeout={BUSY_SECONDS}s -c statement_timeout={STATEMENT_SECONDS}s"
    bounds = {
        "connect_timeout": VANISHED_SECONDS,
        # A server that vanished without a word is noticed by these, and not after a quarter of an hour: by the one
        # when it does not acknowledge what we sent, by the others when we wait for its answer.
        "tcp_user_timeout": VANISHED_SECONDS * 1000,
        "keepalives_idle": 1,
        "keepalives_interval": 1,
        "keepalives_count": VANISHED_SECONDS - 1,
    }
    # What the URL asks for comes last, and wins.
    wished = {name: value for name, value in bounds.items() if name not in address.query}
    return {**wished, "options": f"{options} {_parameter(address, 'options')}".rstrip()}


def _parameter(address: URL, name: str) -> str:
    value = address.query.get(name, "")
    return value if isinstance(value, str) else value[-1]
