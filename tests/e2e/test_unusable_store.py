"""A record that cannot be used: said in clear words at the start, and left as it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.processes import WITHOUT_PRIVILEGES, Command
from tests.e2e.settings import jobs, settings
from watcher.store.schema import HEAD

BASE_URL = "http://127.0.0.1:9/v1"


def configure(watcher: Command, database: Path) -> None:
    watcher.configure(settings(BASE_URL, database, jobs=jobs("ftjob-1")))


@pytest.mark.parametrize("arguments", [("run",), ("jobs", "list"), ("deliveries", "list")], ids=" ".join)
@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("file/watcher.db", "cannot create the directory {home}/file for the database: File exists"),
        ("file/state/watcher.db", "cannot create the directory {home}/file/state for the database: Not a directory"),
        ("directory.db", "{home}/directory.db cannot be opened"),
    ],
)
async def test_a_place_where_no_database_can_be(
    watcher: Command, arguments: tuple[str, ...], place: str, words: str
) -> None:
    (watcher.home / "file").touch()
    (watcher.home / "directory.db").mkdir()
    configure(watcher, watcher.home / place)
    ended = await watcher.run(*arguments)
    assert (ended.code, ended.out) == (1, "")
    assert words.format(home=watcher.home) in ended.err
    assert len(ended.err.splitlines()) == 1


async def test_a_state_directory_of_the_kernel(watcher: Command) -> None:
    """Where not even root can make a directory."""
    watcher.configure({"sources": {"openai": {"base_url": BASE_URL}}})
    ended = await watcher.run("run", env={"STATE_DIRECTORY": "/proc/watcher"})
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("watcher: cannot create the directory /proc/watcher for the database: ")


@pytest.fixture
def ready(watcher: Command) -> Callable[[Path], Path]: ...
