"""What a database complains of while the watcher works: told plainly, and over when it is over."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.contract.store.open_store import OpenStore
from tests.contract.store.scenes import KEY, NOON, SECOND, damage, key, move, owe, the_job, watch
from tests.doubles import until
from watcher.domain.jobs import JobSpec
from watcher.errors import StoreUnavailableError, StoreUnusableError
from watcher.store.timeouts import Waits


@pytest.fixture
async def sqlite_store(sqlite_path: Path) -> AsyncIterator[OpenStore]:
    """A store in a file."""
    async with OpenStore(f"sqlite:///{sqlite_path}") as store:
        yield store


async def test_a_busy_file_waits_for_its_turn(sqlite_path: Path, sqlite_store: OpenStore) -> None:
    with closing(sqlite3.connect(sqlite_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        adding = asyncio.create_task(sqlite_store.upsert_jobs([JobSpec(KEY)], NOON))
        await asyncio.sleep(0.1)
        assert not adding.done()
        other.execute("COMMIT")
        assert (await adding).added == 1


async def test_a_file_that_stays_busy_is_unavailable_until_it_is_free(sqlite_path: Path) -> None:
    async with OpenStore(f"sqlite:///{sqlite_path}", waits=Waits(busy_seconds=0.02)) as store:
        with closing(sqlite3.connect(sqlite_path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailableError, match=f"{sqlite_path} is locked by another process"):
                await store.upsert_jobs([JobSpec(KEY)], NOON)
            assert await store.jobs() == []  # reading goes on
            other.execute("COMMIT")
            assert (await store.upsert_jobs([JobSpec(KEY)], NOON)).added == 1


async def test_a_full_disk_takes_back_the_whole_commit_and_is_caught_up_with(sqlite_store: OpenStore) -> None:
    jobs = await watch(sqlite_store, *map(key, range(10, 50)))
    changes = [move(job, "running", NOON, ["pager"], document='"' + "x" * 4000 + '"') for job in jobs]
    ((pages,),) = await sqlite_store.statement("PRAGMA page_count")
    await sqlite_store.statement(f"PRAGMA max_page_count = {pages + 10}")
    with pytest.raises(StoreUnavailableError, match="the disk is full"):
        await sqlite_store.record(changes)
    assert await sqlite_store.jobs() == jobs
    assert await sqlite_store.deliveries() == []
    await sqlite_store.statement("PRAGMA max_page_count = 1000000")
    assert await sqlite_store.record(changes) == set()
    assert len(await sqlite_store.deliveries()) == 40


async def test_a_file_that_becomes_read_only_can_still_be_read(sqlite_store: OpenStore) -> None:
    (job,) = await watch(sqlite_store, KEY)
    await sqlite_store.statement("PRAGMA query_only = ON")
    with pytest.raises(StoreUnavailableError, match="is read-only: make the file and its directory writable"):
        await sqlite_store.record([move(job, "running")])
    assert await sqlite_store.jobs() == [job]


async def test_damage_found_on_the_way_is_for_good(sqlite_path: Path) -> None:
    async with OpenStore(f"sqlite:///{sqlite_path}") as store:
        await watch(store, *map(key, range(500)))
    damage(sqlite_path, 2 * 4096)  # the first pages hold the schema, and so what opening reads
    with pytest.raises(StoreUnusableError, match=f"{sqlite_path} is damaged: restore it from a backup"):
        async with OpenStore(f"sqlite:///{sqlite_path}") as store:
            await store.jobs()


async def test_a_table_that_is_gone_is_for_good(new_url: str) -> None:
    async with OpenStore(new_url) as store:
        await store.statement("DROP TABLE delivery")
        with pytest.raises(StoreUnusableError, match=r"cannot be used: .*delivery"):
            await store.deliveries()


async def test_a_busy_server_is_unavailable_until_it_is_free(postgresql_url: str) -> None:
    url = f"{postgresql_url}&options=-clock_timeout%3D100"
    async with OpenStore(url) as store:
        await owe(store, ["queued"])
        job = await the_job(store)
        with psycopg.connect(postgresql_url) as other:
            other.execute("LOCK TABLE job IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(StoreUnavailableError, match="is locked by another process"):
                await store.record([move(job, "running", NOON + SECOND)])
        assert await store.record([move(job, "running", NOON + SECOND)]) == set()


async def test_a_server_that_stands_by_is_read_only(postgresql_url: str) -> None:
    async with OpenStore(postgresql_url) as store:
        await watch(store, KEY)
    async with OpenStore(f"{postgresql_url}&options=-cdefault_transaction_read_only%3Don") as store:
        job = await the_job(store)
        with pytest.raises(StoreUnavailableError, match="is read-only"):
            await store.record([move(job, "running")])


async def test_a_connection_lost_while_idle_is_replaced_without_a_word(postgresql_url: str) -> None:
    async with OpenStore(postgresql_url) as store:
        await watch(store, KEY)
        _cut_connections(postgresql_url)
        assert len(await store.jobs()) == 1


async def test_a_connection_lost_at_work_is_unavailable_and_then_replaced(postgresql_url: str) -> None:
    async with OpenStore(postgresql_url) as store:
        (job,) = await watch(store, KEY)
        with psycopg.connect(postgresql_url) as other:
            other.execute("LOCK TABLE job IN ACCESS EXCLUSIVE MODE")
            recording = asyncio.create_task(store.record([move(job, "running", recipients=["pager"])]))
            await until(lambda: _waiting(postgresql_url))
            _cut_connections(postgresql_url, "AND wait_event_type = 'Lock'")
            with pytest.raises(StoreUnavailableError, match=r"the connection was lost|cannot be reached"):
                await recording
        assert await store.jobs() == [job]
        assert await store.record([move(job, "running", recipients=["pager"])]) == set()


async def test_cancelling_does_not_break_the_store(store: OpenStore) -> None:
    work = asyncio.create_task(store.upsert_jobs([JobSpec(key(number)) for number in range(500)], NOON))
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert len(await store.jobs()) in {0, 500}


def _cut_connections(url: str, which: str = "") -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = current_database() AND pid <> pg_backend_pid() {which}"
        )


def _waiting(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone()
    assert row is not None
    return int(row[0])
