"""A store that holds much, beside one that holds nothing else than what is asked for."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.recording import NOON, change_of, new_jobs
from tests.benchmarks.results import Table, Target, spread, verdict
from watcher.domain.deliveries import Delivered, after_attempt
from watcher.engine.ports import ClaimRequest
from watcher.store.schema import delivery, transition
from watcher.store.sql import SqlStore

OLD_TRANSITIONS = 1_000_000
OWED = 100_000
ITEMS = 500
"""What is asked for at once, and pruned."""
REPEATS = 7
"""In a round: each is over quickly."""
TARGET = Target(1.2)
DAY = timedelta(days=1)
NOW = NOON + DAY
LONG_AGO = NOON - 100 * DAY
DOCUMENT = '{"object": "fine_tuning.job", "status": "succeeded"}'

Measure = Callable[[str], Awaitable[float]]


def table(rounds: int) -> Table:
    """Measure what is done again and again on both."""
    with TemporaryDirectory() as directory:
        urls = [f"sqlite:///{Path(directory) / name}.db" for name in ("empty", "crowded")]
        for url in urls:
            asyncio.run(_prepare(url))
        _crowd(Path(directory) / "crowded.db")
        costs: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in MEASURES}
        for _ in range(rounds * REPEATS):
            for name, measure in MEASURES.items():
                for found, url in zip(costs[name], urls, strict=True):
                    found.append(asyncio.run(measure(url)))  # type: ignore[arg-type]
    ratios = {name: [statistics.median(more) / statistics.median(less)] for name, (less, more) in costs.items()}
    return Table(
        f"SQLite with {OLD_TRANSITIONS:,} old transitions and {OWED:,} owed deliveries",
        ("", "µs in an empty store", "µs in that one", "x", "target", "met"),
        [[name, *map(spread, costs[name]), f"{ratio:.2f}", *TARGET.judged(ratio)] for name, (ratio,) in ratios.items()],
        f"Elapsed time of opening, and per item of {ITEMS}. The empty store holds no more than these.",
        [verdict(f"crowded store: {name}", ratio, TARGET, 2) for name, ratio in ratios.items()],
    )


async def starting(url: str) -> float:
    """Open and close."""
    begin = time.perf_counter()
    async with SqlStore(url):
        pass
    return (time.perf_counter() - begin) * 1e6


async def taking(url: str) -> float:
    """Take due jobs."""
    async with SqlStore(url) as store:
        begin = time.perf_counter()
        jobs = await store.claim_due({"due": ClaimRequest(ITEMS, NOW)}, NOW)
        assert len(jobs) == ITEMS
        return _since(begin)


async def claiming(url: str) -> float:
    """Claim due deliveries, 20 at a time; what was claimed before has expired."""
    async with SqlStore(url) as store:
        now = NOW + timedelta(seconds=time.monotonic())
        claimed, begin = 0, time.perf_counter()
        while claimed < ITEMS:
            claimed += len(await store.claim({"chat": 20}, now, now + timedelta(milliseconds=1)))
        return _since(begin)


async def listing(url: str) -> float:
    """List jobs and deliveries, as commands and the page do."""
    async with SqlStore(url) as store:
        begin = time.perf_counter()
        jobs = await store.page_of_jobs(limit=ITEMS // 2)
        deliveries = await store.deliveries(limit=ITEMS // 2)
        assert len(jobs) + len(deliveries) == ITEMS
        return _since(begin)


async def pruning(url: str) -> float:
    """Delete transitions with their deliveries."""
    async with SqlStore(url) as store:
        jobs = await new_jobs(store, ITEMS, "old")
        changes = [change_of(job, "succeeded", LONG_AGO, ["mail"], DOCUMENT) for job in jobs]
        await store.record(changes)
        while claimed := await store.claim({"mail": ITEMS}, LONG_AGO, LONG_AGO + DAY):
            await store.settle([after_attempt(each, Delivered(), LONG_AGO, 0) for each in claimed])
        begin = time.perf_counter()
        assert await store.prune(LONG_AGO + DAY) >= 2 * ITEMS
        return _since(begin)


MEASURES: Mapping[str, Measure] = {
    "start": starting,
    "take a due job": taking,
    "claim a delivery": claiming,
    "list a job or a delivery": listing,
    "prune a transition": pruning,
}


def _since(begin: float) -> float:
    return (time.perf_counter() - begin) / ITEMS * 1e6


async def _prepare(url: str) -> None:
    """Record what is asked for: due jobs, each with a delivery that is owed."""
    async with SqlStore(url) as store:
        jobs = await new_jobs(store, ITEMS, "due")
        await store.record([change_of(job, "running", NOON, ["chat"], DOCUMENT) for job in jobs])


def _crowd(path: Path) -> None:
    """Add what is old, and what is owed to a receiver that takes nothing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN")
        owed = {"seq": "seq + number", "notifier": "'stuck'"}
        old = {"seq": "seq + number", "event_id": "event_id || number"}
        each = OLD_TRANSITIONS // ITEMS
        _copy(database, "transition", [c.name for c in transition.columns], old, each)
        _copy(database, "delivery", [c.name for c in delivery.columns if c.name != "id"], owed, OWED // ITEMS)
        database.execute("COMMIT")


def _copy(database: sqlite3.Connection, table: str, columns: list[str], new: Mapping[str, str], times: int) -> None:
    """Copy each row of a table so many times, with new values in some columns."""
    values = ", ".join(new.get(name, name) for name in columns)
    database.execute(
        "WITH RECURSIVE numbers(number) AS (SELECT -1 UNION ALL SELECT number - 1 FROM numbers LIMIT ?)"
        f" INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table}, numbers",
        (times,),
    )
