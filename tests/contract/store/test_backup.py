"""Copies of a store in use: whole, checked, and put in place at once."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.store.scenes import KEY, NOON, SECOND, damage, key, move, owe, the_job, watch
from watcher.errors import ConfigurationError, StoreError, StoreUnavailableError, StoreUnusableError
from watcher.store.address import sqlite_url
from watcher.store.backup import back_up
from watcher.store.sql import SqlStore


@pytest.fixture
def url(sqlite_path: Path) -> str:
    """The URL of a store that is not there yet."""
    return sqlite_url(sqlite_path)


async def test_a_copy_is_a_store_and_nothing_but_one_file(url: str, tmp_path: Path) -> None:
    target = tmp_path / "copies" / "a?b #1 100%.db"
    target.parent.mkdir()
    async with SqlStore(url) as store:
        await owe(store, ["queued", "running"])
        made = back_up(url, target)  # what is in the write-ahead log is in the copy
        job = await the_job(store)
    assert (made.jobs, made.transitions, made.size) == (1, 2, target.stat().st_size)
    assert [file.name for file in target.parent.iterdir()] == [target.name]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    async with SqlStore(sqlite_url(target)) as copy:
        assert await the_job(copy) == job
        assert len(await copy.deliveries()) == 2


async def test_an_older_copy_is_replaced(url: str, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    async with SqlStore(url) as store:
        await watch(store, KEY)
        assert back_up(url, target).jobs == 1
        await watch(store, key(2))
        assert back_up(url, target).jobs == 2


async def test_what_is_written_meanwhile_is_neither_held_up_nor_copied_by_half(url: str, tmp_path: Path) -> None:
    """Each commit adds a transition and three deliveries; a copy has them all or none."""
    target, done = tmp_path / "copy.db", threading.Event()
    seen: list[tuple[int, int]] = []

    def copy() -> None:
        while not done.is_set():
            back_up(url, target)
            with closing(sqlite3.connect(target)) as connection:
                ((transitions, deliveries),) = connection.execute(
                    "SELECT (SELECT count(*) FROM transition), (SELECT count(*) FROM delivery)"
                )
            seen.append((transitions, deliveries))

    async with SqlStore(url) as store:
        (job,) = await watch(store, KEY)
        copying = asyncio.create_task(asyncio.to_thread(copy))
        while len(seen) < 5 and not copying.done():
            change = move(job, f"step {job.seq}", NOON + job.seq * SECOND, ["a", "b", "c"])
            await store.record([change])
            job = change.job
        done.set()
        await copying
    assert all(deliveries == 3 * transitions for transitions, deliveries in seen)
    assert seen[-1][0] > seen[0][0]


async def test_a_damaged_store_replaces_no_copy(url: str, sqlite_path: Path, tmp_path: Path) -> None:
    async with SqlStore(url) as store:
        await watch(store, *map(key, range(500)))
    target = tmp_path / "copy.db"
    back_up(url, target)
    good = target.read_bytes()
    damage(sqlite_path, 3 * 4096, 6 * 4096)
    with pytest.raises(StoreError, match=r"damaged|malformed"):
        back_up(url, target)
    assert target.read_bytes() == good
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["copy.db"]


def test_another_programs_database_is_not_copied(url: str, sqlite_path: Path, tmp_path: Path) -> None:
    sqlite_path.parent.mkdir()
    with closing(sqlite3.connect(sqlite_path)) as connection:
        connection.execute("CREATE TABLE recipe (name TEXT)")
    with pytest.raises(StoreUnusableError, match=r"no store of finetune-watcher"):
        back_up(url, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_where_nothing_was_recorded_nothing_is_begun(url: str, sqlite_path: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match=f"there is no database {sqlite_path}"):
        back_up(url, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("case", ["the store", "a link to the store", "a directory", "another file", "no directory"])
async def test_what_a_copy_must_not_replace_is_left_as_it_is(
    case: str, url: str, sqlite_path: Path, tmp_path: Path
) -> None:
    async with SqlStore(url) as store:
        await watch(store, KEY)
    link, note = tmp_path / "link", tmp_path / "note"
    link.symlink_to(sqlite_path)
    note.write_text("not a database, and longer than its first bytes")
    targets = {
        "the store": (sqlite_path, "is the store itself"),
        "a link to the store": (link, "is the store itself"),
        "a directory": (tmp_path, "not of a directory"),
        "another file": (note, "was left as it is"),
        "no directory": (tmp_path / "missing" / "copy.db", "no such directory"),
    }
    target, words = targets[case]
    with pytest.raises(ConfigurationError, match=words):
        back_up(url, target)
    assert note.read_text().startswith("not a database")
    async with SqlStore(url) as store:
        assert (await the_job(store)).key == KEY


def test_a_postgresql_store_is_backed_up_by_its_own_means(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="pg_dump") as refusal:
        back_up("postgresql://ann:sesame@db/watcher", tmp_path / "copy")
    assert "sesame" not in str(refusal.value)


def test_a_full_disk_is_told_in_words(url: str, sqlite_path: Path) -> None:
    sqlite_path.parent.mkdir()
    with closing(sqlite3.connect(sqlite_path)) as connection:
        connection.execute("CREATE TABLE recipe (name TEXT)")
    with pytest.raises(StoreUnavailableError, match=r"cannot write /proc/copy\.db"):
        back_up(url, Path("/proc/copy.db"))
