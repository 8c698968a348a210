"""What the store costs: transitions with their deliveries, committed together."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.results import Table, Target, spread, verdict
from tests.benchmarks.server import BODY
from tests.doubles import planned
from tests.evidence.postgresql import postgresql
from watcher.domain.jobs import Job, JobFacts, JobKey, JobSpec, Observation
from watcher.domain.states import OPENAI_STATES, is_terminal
from watcher.domain.transitions import detect, moved
from watcher.engine.ports import Change, ClaimRequest
from watcher.store.sql import SqlStore

READY = 500
"""Transitions that are ready at the same time, as after an outage."""
BATCHES = 8
TAKEN = 1000
NOTIFIERS = ("pager", "chat", "archive")
TARGET = Target(80, "µs")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Cost:
    """What recording a transition took, or taking a due job: microseconds."""

    processor: float
    """All threads of ours counted; not those of a database server."""
    elapsed: float


def table(rounds: int) -> Table:
    """Measure the store on both databases."""
    with postgresql() as server, TemporaryDirectory() as directory:
        urls = {"SQLite": f"sqlite:///{Path(directory) / 'watcher.db'}", "PostgreSQL": server.new_database()}
        costs: dict[tuple[str, str], list[Cost]] = {}
        for _ in range(rounds):
            for name, url in urls.items():
                costs.setdefault((f"a transition, {READY} ready", name), []).append(asyncio.run(recording(url, READY)))
                costs.setdefault(("a transition alone", name), []).append(asyncio.run(recording(url, 1)))
                costs.setdefault(("a due job taken", name), []).append(asyncio.run(taking(url)))
    ready = [cost.processor for cost in costs[f"a transition, {READY} ready", "SQLite"]]
    return Table(
        "The store: a transition with three deliveries, and a due job",
        ("", "", "µs of our processor", "µs elapsed", "target", "met"),
        [[*of, *_row(of, found)] for of, found in costs.items()],
        "The job's new state, the transition with the whole job object, and the deliveries; all that is ready is one"
        " transaction, on the store's own thread, whose time is counted. Due jobs are taken 1,000 at a time.",
        [verdict("SQLite: a transition with three deliveries, when many are ready", ready, TARGET)],
    )


def _row(of: tuple[str, str], costs: Sequence[Cost]) -> Sequence[str]:
    processor = [cost.processor for cost in costs]
    judged = TARGET.judged(statistics.median(processor)) if of[1] == "SQLite" and "ready" in of[0] else ("", "")
    return [spread(processor), spread([cost.elapsed for cost in costs]), *judged]


async def recording(url: str, ready: int) -> Cost:
    """Record batches of so many transitions."""
    async with SqlStore(url) as store:
        jobs = await new_jobs(store, READY)
        batches: list[list[Change]] = []
        for number in range(BATCHES):
            batches.append([_moved(job, number) for job in jobs[:ready]])
            jobs = [change.job for change in batches[-1]] + jobs[ready:]
        begin = time.process_time(), time.perf_counter()
        for batch in batches:
            assert not await store.record(batch)
        return _since(begin, BATCHES * ready)


async def new_jobs(store: SqlStore, count: int, source: str = "archive") -> list[Job]:
    """Add jobs of a source that nobody polls, due at noon."""
    keys = [JobKey(source, f"ftjob-{time.monotonic_ns()}-{number}") for number in range(count)]
    await store.upsert_jobs([JobSpec(key) for key in keys], NOON)
    return [Job(key, due_at=NOON) for key in keys]


async def taking(url: str) -> Cost:
    """Take due jobs, a thousand at a time."""
    source = f"source{time.monotonic_ns()}"
    async with SqlStore(url) as store:
        await store.upsert_jobs([JobSpec(JobKey(source, f"ftjob-{number}")) for number in range(TAKEN)], NOON)
        begin, taken, now = (time.process_time(), time.perf_counter()), 0, NOON
        for _ in range(BATCHES):
            taken += len(await store.claim_due({source: ClaimRequest(TAKEN, now + timedelta(seconds=30))}, now))
            now += timedelta(seconds=30)
        assert taken == TAKEN * BATCHES
        return _since(begin, taken)


def _since(begin: tuple[float, float], count: int) -> Cost:
    processor, elapsed = begin
    return Cost((time.process_time() - processor) / count * 1e6, (time.perf_counter() - elapsed) / count * 1e6)


def _moved(job: Job, number: int) -> Change:
    return change_of(job, ("running", "paused")[number % 2], NOON + timedelta(minutes=number), NOTIFIERS)


def change_of(job: Job, status: str, at: datetime, notifiers: Sequence[str], document: str = BODY.decode()) -> Change:
    """Return what a poll records that finds a job in this status."""
    transition = detect(job, Observation(job.key, status, OPENAI_STATES(status), at, JobFacts(), document))
    assert transition is not None
    due_at = None if is_terminal(transition.state) else at
    return Change(job.seq, moved(job, transition)._replace(due_at=due_at), transition, planned(*notifiers))
