"""Work on a store that has grown: counted in SQLite's own steps, so that no clock decides."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from tests.contract.store.scenes import KEY, NOON, SECOND, key, move, the_job, watch
from watcher.domain.jobs import JobKey
from watcher.engine.ports import Change
from watcher.store.address import sqlite_url
from watcher.store.database import connect
from watcher.store.deliveries import Selection, find_due_deliveries
from watcher.store.jobs import latest_transitions
from watcher.store.prune import Pruning
from watcher.store.sql import SqlStore
from watcher.store.status_durations import durations

SOME, MANY = 300, 1500
LINEAR = 1.3 * MANY / SOME
"""How many times the steps may be as many when everything is five times as many."""
FEW = 10
"""Steps more or less, in tens, that say nothing."""
LONG_AFTER = NOON + 90_000 * SECOND
Work = Callable[[Connection], object]


async def flap(store: SqlStore, job: JobKey, times: int, end: str) -> None:
    """Have a job go back and forth, with deliveries, until it is at the end."""
    (current,) = await watch(store, job)
    changes: list[Change] = []
    for number in range(times):
        status = end if number == times - 1 else ("queued", "running")[number % 2]
        changes.append(move(current, status, NOON + number * SECOND, ["pager"]))
        current = changes[-1].job
    await store.record(changes)


def steps(url: str, work: Work) -> int:
    """Count the steps of SQLite's machine that the work takes, in tens."""
    count = 0

    def note() -> None:
        nonlocal count
        count += 1

    with closing(connect(url)) as database, database.writing() as connection:
        connection.connection.driver_connection.set_progress_handler(note, 10)  # type: ignore[union-attr]
        work(connection)
    return count


def walk(connection: Connection) -> None:
    """Forget all that is old."""
    pruning = Pruning(LONG_AFTER, batch=50)
    while not pruning.is_done:
        pruning.prune(connection)


def collect_durations(connection: Connection) -> None:
    """Look up earlier durations."""
    durations(connection, "openai")


async def grown(path: Path, size: int) -> str:
    """Return the URL of a store where a job that goes on, and one that has ended, have flapped so many times."""
    url = sqlite_url(path / f"{size}.db")
    async with SqlStore(url) as store:
        await flap(store, KEY, size, "running")
        await flap(store, key(2), size, "succeeded")
        await store.discard(Selection(), NOON)
        current = await the_job(store)
        await store.record([move(current, "paused", NOON + size * SECOND, ["pager"])])
    return url


def find_due(connection: Connection) -> None:
    """Look for due deliveries, where each might have to wait for an earlier one."""
    assert find_due_deliveries(connection, {"pager": 5}, LONG_AFTER) == {"pager": 1}


def show_history(connection: Connection) -> None:
    """Read a page of the history of a job."""
    assert len(latest_transitions(connection, KEY, 50, None)) == 50


@pytest.mark.parametrize("work", [collect_durations, walk], ids=["learning from durations", "forgetting"])
async def test_it_takes_steps_in_proportion_to_what_is_there(work: Work, tmp_path: Path) -> None:
    few, more = [steps(await grown(tmp_path, size), work) for size in (SOME, MANY)]
    assert few > 0
    assert more <= LINEAR * few


@pytest.mark.parametrize("work", [find_due, show_history], ids=["due deliveries", "a page of a history"])
async def test_what_is_over_costs_nothing_where_it_is_not_asked_for(work: Work, tmp_path: Path) -> None:
    few, more = [steps(await grown(tmp_path, size), work) for size in (SOME, MANY)]
    assert 0 < more <= few + FEW
