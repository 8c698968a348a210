"""A store that cannot be used: said in one clear line at the start, and left as it is."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.processes import WITHOUT_PRIVILEGES, Command, Finished
from tests.e2e.settings import jobs, settings
from watcher.store.sql import SqlStore

BASE_URL = "http://127.0.0.1:9/v1"
AS_A_USER = WITHOUT_PRIVILEGES if os.geteuid() == 0 else ()


def configure(watcher: Command, database: Path) -> None:
    watcher.configure(settings(BASE_URL, database, jobs=jobs("ftjob-1")))


def complaint(ended: Finished) -> str:
    """Return the one line that the command said why it could not begin."""
    assert (ended.code, ended.out) == (1, "")
    (line,) = (line for line in ended.err.splitlines() if line.startswith("watcher: "))
    return line


@pytest.fixture
async def database(watcher: Command) -> Path:
    """A store that the command could use, and is configured to."""
    configure(watcher, watcher.database)
    async with SqlStore(f"sqlite:///{watcher.database}"):
        pass
    return watcher.database


@pytest.fixture
def read_only(database: Path) -> Iterator[Path]:
    """The store as a file that may only be read, in a directory of which the same is true."""
    database.chmod(0o444)
    database.parent.chmod(0o555)
    yield database
    database.parent.chmod(0o755)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("file/watcher.db", "cannot create the directory {home}/file for the database: File exists;"),
        ("file/state/watcher.db", "cannot create the directory {home}/file/state for the database: Not a directory;"),
        ("directory.db", "the database {home}/directory.db cannot be opened: "),
    ],
)
async def test_a_place_where_no_database_can_be(watcher: Command, place: str, words: str) -> None:
    (watcher.home / "file").touch()
    (watcher.home / "directory.db").mkdir()
    configure(watcher, watcher.home / place)
    assert complaint(await watcher.run("run")).startswith(f"watcher: {words.format(home=watcher.home)}")


async def test_a_state_directory_in_which_not_even_root_can_write(watcher: Command) -> None:
    watcher.configure({"sources": {"openai": {"base_url": BASE_URL}}})
    ended = await watcher.run("run", env={"STATE_DIRECTORY": "/proc/watcher"})
    assert complaint(ended).startswith("watcher: cannot create the directory /proc/watcher for the database: ")


async def test_a_state_directory_that_belongs_to_somebody_else(watcher: Command) -> None:
    theirs = watcher.home / "theirs"
    theirs.mkdir(mode=0o555)
    configure(watcher, theirs / "watcher.db")
    told = complaint(await watcher.run("run", prefix=AS_A_USER))
    assert f"{theirs} is not writable for this user; change its permissions" in told
    assert list(theirs.iterdir()) == []


@pytest.mark.parametrize("arguments", [("run",), ("jobs", "list")], ids=" ".join)
async def test_a_read_only_database(watcher: Command, read_only: Path, arguments: tuple[str, ...]) -> None:
    told = complaint(await watcher.run(*arguments, prefix=AS_A_USER))
    assert told.startswith(f"watcher: the database {read_only} cannot be written: ")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Dear diary,\n" * 1000, "is no SQLite database, or is damaged: choose another file for the store"),
        (None, "is damaged: restore it from a backup, or move it away and start anew"),
    ],
    ids=["something else", "damaged"],
)
async def test_a_file_that_is_no_database(watcher: Command, database: Path, content: bytes | None, words: str) -> None:
    """The damaged one has a sound first half of its first page, and nothing but noise behind it."""
    sound = database.read_bytes()
    database.write_bytes(content or sound[:120] + b"\xa5" * (len(sound) - 120))
    before = database.read_bytes()
    for arguments in (("run",), ("deliveries", "list")):
        assert words in complaint(await watcher.run(*arguments))
    assert database.read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "UPDATE watcher_version SET version_num = '9999', oldest_reader = '9999'",
            "is of a newer version of finetune-watcher (its schema is 9999",
        ),
        ("ALTER TABLE watcher_version RENAME TO recipe", "belongs to another program"),
    ],
    ids=["newer", "another program's"],
)
async def test_a_database_that_is_not_for_this_program(
    watcher: Command, database: Path, statement: str, words: str
) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement)
        before = list(connection.iterdump())
    assert words in complaint(await watcher.run("run"))
    with closing(sqlite3.connect(database)) as connection:
        assert list(connection.iterdump()) == before
