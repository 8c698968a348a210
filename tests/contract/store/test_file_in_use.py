"""An SQLite file that is removed, replaced or locked by another program while it is in use."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import event

from tests.contract.store.open_store import OpenStore
from tests.contract.store.scenes import NOON, SECOND, claim_jobs, key, move, owe, the_job, watch
from watcher.errors import StoreUnavailableError
from watcher.store.timeouts import Waits


@pytest.fixture
async def open_store(sqlite_path: Path) -> AsyncIterator[OpenStore]:
    """A store in a file, with a job that runs."""
    async with OpenStore(f"sqlite:///{sqlite_path}") as store:
        await owe(store, ["running"])
        yield store


async def test_a_file_that_was_deleted_is_noticed_at_once_and_not_made_anew(
    sqlite_path: Path, open_store: OpenStore
) -> None:
    job = await the_job(open_store)
    for file in sqlite_path.parent.iterdir():
        file.unlink()
    with pytest.raises(StoreUnavailableError, match=f"{sqlite_path} was deleted while it was in use: put it back"):
        await open_store.record([move(job, "succeeded", NOON + SECOND)])
    with pytest.raises(StoreUnavailableError, match="was deleted"):
        await claim_jobs(open_store)
    assert list(sqlite_path.parent.iterdir()) == []


async def test_a_file_that_is_put_back_is_gone_on_with(sqlite_path: Path, open_store: OpenStore) -> None:
    change = move(await the_job(open_store), "succeeded", NOON + SECOND)
    aside = sqlite_path.with_name("aside.db")
    sqlite_path.rename(aside)
    with pytest.raises(StoreUnavailableError):
        await open_store.record([change])
    aside.rename(sqlite_path)
    assert await open_store.record([change]) == set()
    async with OpenStore(f"sqlite:///{sqlite_path}") as afterwards:
        assert await the_job(afterwards) == change.job


async def test_a_file_that_was_replaced_is_not_written_until_a_restart(
    sqlite_path: Path, open_store: OpenStore
) -> None:
    job = await the_job(open_store)
    backup = sqlite_path.with_name("backup.db")
    shutil.copyfile(sqlite_path, backup)
    backup.rename(sqlite_path)
    before = sqlite_path.read_bytes()
    with pytest.raises(StoreUnavailableError, match=r"was replaced by another file while it was in use: .* restart"):
        await open_store.record([move(job, "succeeded", NOON + SECOND)])
    assert sqlite_path.read_bytes() == before


async def test_a_directory_that_became_unreachable_is_named(sqlite_path: Path, open_store: OpenStore) -> None:
    sqlite_path.parent.rename(sqlite_path.parent.with_name("elsewhere"))
    sqlite_path.parent.touch()
    with pytest.raises(StoreUnavailableError, match="cannot be reached: Not a directory"):
        await claim_jobs(open_store)


async def test_what_went_into_a_file_that_was_deleted_meanwhile_counts_as_not_written(
    sqlite_path: Path, open_store: OpenStore
) -> None:
    job = await the_job(open_store)

    def delete(*_: object) -> None:
        sqlite_path.unlink(missing_ok=True)

    event.listen(open_store.engine, "commit", delete)
    with pytest.raises(StoreUnavailableError, match="was deleted"):
        await open_store.record([move(job, "succeeded", NOON + SECOND)])


async def test_only_the_first_wait_for_a_file_that_stays_busy_is_long(sqlite_path: Path) -> None:
    """So that polling from memory keeps its interval while another program holds the file."""
    store = OpenStore(f"sqlite:///{sqlite_path}", waits=Waits(busy_seconds=1, brief_seconds=0.05))

    async def waits() -> float:
        begun = monotonic()
        with pytest.raises(StoreUnavailableError, match="is locked by another process"):
            await watch(store, key(2))
        return monotonic() - begun

    async with store:
        with closing(sqlite3.connect(sqlite_path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert await waits() >= 1
            assert [await waits() < 0.8 for _ in range(3)] == [True] * 3
            other.execute("COMMIT")
            await watch(store, key(2))
            other.execute("BEGIN EXCLUSIVE")
            assert await waits() >= 1
            other.execute("COMMIT")
        assert await store.count_rows("job") == 1
