"""The store's thread: no task waits long for a database that is out of reach."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from threading import Event

import pytest

from tests.doubles import until
from watcher.errors import StoreUnavailableError
from watcher.store.thread import StoreThread
from watcher.store.timeouts import Waits

INSTANT = timedelta(microseconds=1)


class Database:
    """Blocks its user until it is released or the connection is cut."""

    def __init__(self) -> None:
        self.is_reached = False
        self.begun = 0
        self._news = Event()

    def use(self) -> str:
        self.begun += 1
        if not self._news.wait(10):
            return "nobody cut the connection"
        self._news.clear()
        if not self.is_reached:
            raise StoreUnavailableError("the connection was lost")
        return "rows"

    def cut(self) -> None:
        self._news.set()

    def answer(self) -> None:
        self.is_reached = True
        self._news.set()


@pytest.fixture
def database() -> Database:
    """A database that does not answer."""
    return Database()


@pytest.fixture
async def worker(database: Database, request: pytest.FixtureRequest) -> AsyncIterator[StoreThread]:
    """The thread that uses it; every failure counts as a slow one, unless the test says otherwise."""
    worker = StoreThread(database.cut, Waits(look_seconds=0.01, slow_seconds=getattr(request, "param", 0)))
    yield worker
    database.answer()
    worker.close()


async def test_work_that_takes_too_long_is_cut_off(database: Database, worker: StoreThread) -> None:
    with pytest.raises(StoreUnavailableError, match="the connection was lost"):
        await worker.run(database.use, INSTANT)


async def test_work_within_its_time_is_left_alone(database: Database, worker: StoreThread) -> None:
    working = asyncio.create_task(worker.run(database.use))
    await until(lambda: database.begun)
    await asyncio.sleep(0.1)  # it is looked at meanwhile
    assert not working.done()
    database.answer()
    assert await working == "rows"


async def test_waiting_for_ones_turn_is_not_taken_for_working(database: Database, worker: StoreThread) -> None:
    first, second = (asyncio.create_task(worker.run(database.use, timedelta(seconds=0.3))) for _ in range(2))
    await asyncio.wait([first])
    await until(lambda: database.begun == 2)
    assert not second.done()
    database.answer()
    assert await second == "rows"


async def test_who_asks_is_told_at_once_while_another_finds_out(database: Database, worker: StoreThread) -> None:
    with pytest.raises(StoreUnavailableError):
        await worker.run(database.use, INSTANT)
    trying = asyncio.create_task(worker.run(database.use))
    await until(lambda: database.begun == 2)
    with pytest.raises(StoreUnavailableError, match="the connection was lost"):
        await worker.ask(database.use)
    assert database.begun == 2
    database.answer()
    assert await trying == "rows"
    database.answer()
    assert await worker.ask(database.use) == "rows"


async def test_who_asks_finds_out_where_nobody_else_does(database: Database, worker: StoreThread) -> None:
    with pytest.raises(StoreUnavailableError):
        await worker.run(database.use, INSTANT)
    database.answer()
    assert await worker.ask(database.use) == "rows"


async def test_who_writes_waits_for_its_turn_in_any_case(database: Database, worker: StoreThread) -> None:
    with pytest.raises(StoreUnavailableError):
        await worker.run(database.use, INSTANT)
    trying, writing = (asyncio.create_task(worker.run(database.use)) for _ in range(2))
    await until(lambda: database.begun == 2)
    database.answer()
    assert await trying == "rows"
    await until(lambda: database.begun == 3)
    database.answer()
    assert await writing == "rows"


@pytest.mark.parametrize("worker", [pytest.param(60, id="slow after a minute")], indirect=True)
async def test_a_failure_that_came_at_once_makes_nobody_give_up(database: Database, worker: StoreThread) -> None:
    with pytest.raises(StoreUnavailableError):
        await worker.run(database.use, INSTANT)
    working = asyncio.create_task(worker.run(database.use))
    await until(lambda: database.begun == 2)
    request = asyncio.create_task(worker.ask(lambda: "more rows"))
    database.answer()
    assert [await working, await request] == ["rows", "more rows"]
