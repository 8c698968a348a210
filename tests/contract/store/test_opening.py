"""Opening a store: created, migrated, or refused and left as it is."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.engine.interfaces import ReflectedIndex

import watcher.store
from tests.contract.store.open_store import OpenStore
from tests.contract.store.pooler import REQUIRED
from tests.contract.store.revisions import make_older, revision_of
from tests.contract.store.scenes import KEY, NOON, damage, left_as_it_is, owe, the_job, watch, write_file
from watcher.domain.jobs import JobSpec
from watcher.errors import ConfigurationError, StoreError, StoreUnavailableError, StoreUnusableError
from watcher.store.database import connect, serialise
from watcher.store.schema import HEAD, OLDEST_READER, REVISIONS, VERSION_TABLE, metadata

NOBODY = 65534
PASSWORD = "pa55-of-the-store"
ADD_JOBS = """
import asyncio, sys
from datetime import datetime, timezone
from watcher.domain.jobs import JobKey, JobSpec
from watcher.store.sql import SqlStore

async def main(url):
    async with SqlStore(url) as store:
        result = await store.upsert_jobs(
            [JobSpec(JobKey("openai", f"ftjob-{n}")) for n in range(50)], datetime.now(timezone.utc)
        )
        print(result.added, "alembic" in sys.modules)

asyncio.run(main(sys.argv[1]))
"""


NO_SHARED_MEMORY = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
static int is_shared_memory(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 4) return 0;
  path[n] = 0;
  return !strcmp(path + n - 4, "-shm");
}
#define REFUSING(name) void *name(void *at, size_t size, int prot, int flags, int fd, off_t offset) { \\
  static void *(*real)(void *, size_t, int, int, int, off_t); \\
  if (!real) real = dlsym(RTLD_NEXT, #name); \\
  if (fd >= 0 && (flags & MAP_SHARED) && is_shared_memory(fd)) { errno = ENODEV; return MAP_FAILED; } \\
  return real(at, size, prot, flags, fd, offset); }
REFUSING(mmap)
REFUSING(mmap64)
"""
"""A library that refuses to share the memory of a write-ahead log, as some file systems do."""


async def refused(url: str) -> str:
    """Return with what words the store at the URL is refused for good."""
    with pytest.raises(StoreUnusableError) as refusal:
        async with OpenStore(url):
            pass
    return str(refusal.value)


async def unavailable(url: str) -> str:
    """Return with what words the store at the URL cannot be reached now."""
    with pytest.raises(StoreUnavailableError) as refusal:
        async with OpenStore(url):
            pass
    return str(refusal.value)


def run_sqlite(path: Path, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements on the file; return the rows of the last one."""
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return [connection.execute(sql).fetchall() for sql in statements][-1]


@contextmanager
def without_privileges() -> Iterator[None]:
    """Be nobody for a while, if we are root, whom no permission stops."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A directory that belongs to whom `without_privileges` makes of us."""
    with tempfile.TemporaryDirectory() as name:
        if os.geteuid() == 0:
            os.chown(name, NOBODY, -1)
        yield Path(name)


async def test_the_directory_is_created_for_its_owner_only(sqlite_path: Path) -> None:
    async with OpenStore(f"sqlite:///{sqlite_path}") as store:
        assert store.name == str(sqlite_path)
    assert stat.S_IMODE(sqlite_path.parent.stat().st_mode) == 0o700


async def test_a_relative_path_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with OpenStore("sqlite:///rel 100%.db") as store:
        await watch(store, KEY)
    assert (tmp_path / "rel 100%.db").exists()


async def test_sqlite_is_told_to_be_safe(sqlite_path: Path) -> None:
    async with OpenStore(f"sqlite:///{sqlite_path}") as store:
        told = {name: await store.statement(f"PRAGMA {name}") for name in ("foreign_keys", "synchronous")}
        assert told == {"foreign_keys": [(1,)], "synchronous": [(2,)]}
        assert await store.statement("PRAGMA journal_mode") == [("wal",)]
        assert await store.statement("PRAGMA busy_timeout") == [(5000,)]


async def test_migrating_makes_the_tables_that_the_program_works_with(new_url: str) -> None:
    make_older(new_url, REVISIONS[0])
    store = OpenStore(new_url)

    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return list(compare_metadata(context, metadata))

    async with store:
        assert await store.read(differences) == []
        assert await store.statement(f"SELECT version_num FROM {VERSION_TABLE}") == [(HEAD,)]


async def test_a_new_database_is_as_a_migrated_one(new_url: str, another_url: str) -> None:
    make_older(another_url, HEAD)
    async with OpenStore(new_url) as created, OpenStore(another_url) as migrated:
        assert await created.read(_catalogue) == await migrated.read(_catalogue)
    assert revision_of(new_url) == revision_of(another_url)


def _catalogue(connection: Connection) -> dict[str, Any]:
    """Say what each table is made of; columns stand in any order."""
    found = inspect(connection)
    return {
        table: [
            sorted((each["name"], str(each["type"]), each["nullable"]) for each in found.get_columns(table)),
            found.get_pk_constraint(table),
            sorted(map(_definition, found.get_indexes(table))),
            sorted(map(str, found.get_unique_constraints(table))),
            sorted(map(str, found.get_foreign_keys(table))),
        ]
        for table in found.get_table_names()
    }


def _definition(index: ReflectedIndex) -> tuple[str, ...]:
    options = index.get("dialect_options", {})
    where = options.get("sqlite_where", options.get("postgresql_where"))
    return tuple(map(str, (index["name"], index["column_names"], index["unique"], where)))


def test_every_revision_is_known_by_name() -> None:
    """A database whose revision is not in this list is taken for a newer one."""
    config = Config()
    config.set_main_option("script_location", str(Path(watcher.store.__file__).with_name("migrations")))
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == REVISIONS


async def test_indexes_of_what_is_open_leave_out_what_is_over(url: str, store: OpenStore) -> None:
    """Comparing the tables does not compare this."""
    catalogue = ("sql", "sqlite_master") if url.startswith("sqlite") else ("indexdef", "pg_indexes")
    definitions = [row[0] or "" for row in await store.statement(f"SELECT {catalogue[0]} FROM {catalogue[1]}")]
    partial = {sql.split()[2] for sql in definitions if "INDEX" in sql and " WHERE " in sql}
    of_deliveries = {"due", "settled_at", "job_pending", "condition_pending", "condition_event"}
    assert partial == {"job_due", "job_overview", *(f"delivery_{of}" for of in of_deliveries)}


@pytest.mark.process
async def test_processes_that_open_a_new_database_at_once_make_it_once(new_url: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", "-c", ADD_JOBS, new_url, stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    outputs = [(await process.communicate())[0].decode().split() for process in processes]
    assert sorted(output[0] for output in outputs) == ["0", "0", "50"]
    async with OpenStore(new_url) as store:
        assert len(await store.jobs()) == 50


@pytest.mark.process
async def test_opening_what_is_up_to_date_does_not_load_alembic(url: str) -> None:
    async with OpenStore(url) as store:
        await watch(store, KEY)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", ADD_JOBS, url, stdout=subprocess.PIPE)
    assert (await process.communicate())[0].split() == [b"49", b"False"]


async def test_a_newer_database_is_refused_and_left_as_it_is(new_url: str) -> None:
    async with OpenStore(new_url) as store:
        await owe(store)
        before = await store.deliveries()
        await store.statement(f"UPDATE {VERSION_TABLE} SET version_num = '0099', {OLDEST_READER} = '0099'")
    words = await refused(new_url)
    assert "newer version" in words
    assert "0099" in words
    assert "upgrade the program" in words
    if new_url.startswith("sqlite"):
        run_sqlite(Path(new_url.removeprefix("sqlite:///")), f"UPDATE {VERSION_TABLE} SET version_num = '{HEAD}'")
        async with OpenStore(new_url) as store:
            assert await store.deliveries() == before


async def test_a_database_that_a_newer_program_makes_while_we_wait_is_refused(new_url: str) -> None:
    other = connect(new_url)
    if other.path:
        write_file(other.path, b"")
    with other.writing() as connection:
        serialise(connection)
        connection.exec_driver_sql(f"CREATE TABLE {VERSION_TABLE} (version_num TEXT)")
        connection.exec_driver_sql(f"INSERT INTO {VERSION_TABLE} VALUES ('0099')")
        opening = asyncio.create_task(refused(new_url))
        await asyncio.sleep(0.3)  # it has found the database empty by now, and waits for its turn
        assert not opening.done()
    other.close()
    assert "0099" in await opening


@pytest.mark.parametrize("step", ["alembic.operations.Operations.create_index", "sqlalchemy.MetaData.create_all"])
async def test_a_database_that_cannot_be_made_ready_is_left_as_it_was(
    new_url: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise OSError("no space for the second table")

    if step.startswith("alembic"):
        make_older(new_url, REVISIONS[0])
    with monkeypatch.context() as patch:
        patch.setattr(step, breaks)
        with pytest.raises(OSError, match="second table"):
            await OpenStore(new_url).__aenter__()
    async with OpenStore(new_url) as store:
        assert await watch(store, KEY) == await store.jobs()


async def test_another_programs_sqlite_file_is_refused_and_left_as_it_is(sqlite_path: Path) -> None:
    run_sqlite(sqlite_path, "CREATE TABLE recipe (name TEXT)", "INSERT INTO recipe VALUES ('soup')")
    with left_as_it_is(sqlite_path):
        words = await refused(f"sqlite:///{sqlite_path}")
    assert f"{sqlite_path} belongs to another program" in words
    assert "table recipe" in words


async def test_a_postgresql_database_may_be_shared(postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url) as connection:
        connection.execute("CREATE TABLE recipe (name TEXT)")
    async with OpenStore(postgresql_url) as store:
        await watch(store, KEY)


async def test_a_postgresql_database_with_such_a_table_of_another_program_is_refused(postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url) as connection:
        connection.execute("CREATE TABLE job (name TEXT)")
    assert "belongs to another program (it has a table job)" in await refused(postgresql_url)


async def test_a_postgresql_schema_of_its_own_can_be_chosen(postgresql_url: str) -> None:
    with psycopg.connect(postgresql_url) as connection:
        connection.execute("CREATE TABLE job (name TEXT)")
        connection.execute("CREATE SCHEMA watcher")
    async with OpenStore(f"{postgresql_url}&options=-csearch_path%3Dwatcher") as store:
        await watch(store, KEY)
        assert await store.statement("SELECT count(*) FROM watcher.job") == [(1,)]


@pytest.mark.parametrize("content", [b"\x7fELF no database\n" * 500, b"# a note\n"])
async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(sqlite_path: Path, content: bytes) -> None:
    write_file(sqlite_path, content)
    with left_as_it_is(sqlite_path):
        words = await refused(f"sqlite:///{sqlite_path}")
    assert f"{sqlite_path} is no SQLite database" in words
    assert "choose another file" in words


async def test_a_damaged_database_is_refused_and_left_as_it_is(sqlite_path: Path) -> None:
    async with OpenStore(f"sqlite:///{sqlite_path}") as store:
        await owe(store)
    damage(sqlite_path, 100, 4096)
    with left_as_it_is(sqlite_path):
        assert "is damaged" in await refused(f"sqlite:///{sqlite_path}")


async def test_an_empty_file_is_an_empty_database(sqlite_path: Path) -> None:
    write_file(sqlite_path, b"")
    async with OpenStore(f"sqlite:///{sqlite_path}") as store:
        await watch(store, KEY)


async def test_a_directory_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    words = await unavailable(f"sqlite:///{tmp_path}/file/state/watcher.db")
    assert f"cannot create the directory {tmp_path}/file/state" in words
    assert "choose another path" in words


async def test_a_directory_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    assert str(tmp_path) in await unavailable(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize("which", ["directory", "file"])
async def test_what_this_user_may_not_write_is_refused_by_name(nobodys: Path, which: str) -> None:
    path = nobodys / "watcher.db"
    async with OpenStore(f"sqlite:///{path}") as store:
        await watch(store, KEY)
    locked = nobodys if which == "directory" else path
    locked.chmod(0o500)
    with without_privileges():
        words = await unavailable(f"sqlite:///{path}")
    locked.chmod(0o700)
    assert f"{locked} is not writable for this user" in words
    async with OpenStore(f"sqlite:///{path}") as store:
        assert (await the_job(store)).key == KEY


async def test_a_file_system_without_shared_memory_is_named(tmp_path: Path) -> None:
    """As network file systems and some mounts are; SQLite itself says `disk I/O error`."""
    compiler = shutil.which("cc")
    if compiler is None:
        (pytest.fail if os.environ.get(REQUIRED) else pytest.skip)("no C compiler is installed")
    source, library = tmp_path / "noshm.c", tmp_path / "noshm.so"
    source.write_text(NO_SHARED_MEMORY)
    compiling = await asyncio.create_subprocess_exec(compiler, "-shared", "-fPIC", "-o", library, source, "-ldl")
    assert await compiling.wait() == 0
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ADD_JOBS, f"sqlite:///{tmp_path}/watcher.db", stderr=subprocess.PIPE,
        env={**os.environ, "LD_PRELOAD": str(library)},
    )  # fmt: skip
    last_line = (await process.communicate())[1].decode().splitlines()[-1]
    assert "watcher.db is on a file system where processes cannot share memory" in last_line
    assert "put it on a local disk" in last_line


async def test_a_store_that_was_closed_stays_closed(url: str) -> None:
    async with OpenStore(url) as store:
        pass
    with pytest.raises(RuntimeError):
        await store.upsert_jobs([JobSpec(KEY)], NOON)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "watcher.db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://host/watcher.db",
        "sqlite:///watcher.db?mode=ro",
        f"mysql://root:{PASSWORD}@db/watcher",
        f"postgres://root:{PASSWORD}@db/watcher",
        f"postgresql+asyncpg://root:{PASSWORD}@db/watcher",
        f"postgresql://root:{PASSWORD}@db:port/watcher",
        f"postgresql://root:half@{PASSWORD}@db/watcher",
        f"postgresql://root:ha@lf/{PASSWORD}@db/watcher",
    ],
)
def test_other_urls_are_a_mistake_in_the_settings_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"store\.url: ") as refusal:
        OpenStore(url)
    assert PASSWORD not in str(refusal.value)
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def test_without_its_driver_postgresql_is_a_mistake_in_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"install finetune-watcher\[postgresql\]"):
        OpenStore(f"postgresql://root:{PASSWORD}@db/watcher")


@pytest.mark.parametrize(
    "query", ["", f"?password={PASSWORD}", f"?sslpassword={PASSWORD}", f"?password={PASSWORD}&password={PASSWORD}"]
)
async def test_a_password_is_never_shown(query: str) -> None:
    store = OpenStore(f"postgresql://watcher:{PASSWORD}@127.0.0.1:1/records{query}")
    with pytest.raises(StoreError) as refusal:
        await store.__aenter__()
    assert store.name == "postgresql://watcher:***@127.0.0.1:1/records"
    assert store.name in str(refusal.value)
    shown = [refusal.value, refusal.value.__cause__, store, vars(store), store.engine]
    assert PASSWORD not in "".join(map(repr, shown))
    assert refusal.value.__suppress_context__


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    words = await unavailable("postgresql://watcher@127.0.0.1:1/records")
    assert "postgresql://watcher@127.0.0.1:1/records cannot be reached" in words
    assert "refused" in words


async def test_a_postgresql_database_that_does_not_exist_is_unavailable(postgresql_url: str) -> None:
    words = await unavailable(re.sub("/t[0-9]+", "/nowhere", postgresql_url))
    assert "nowhere" in words
    assert "does not exist" in words


async def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "watcher.db"
    before = os.umask(0)
    try:
        async with OpenStore(f"sqlite:///{path}"):
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(before)

    assert set(modes.values()) == {0o600}
