"""What the record costs: transitions with their deliveries, committed together."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.results import Table, Target, spread
from tests.benchmarks.server import BODY
from watcher.domain.jobs import Job, JobFacts, JobKey, JobSpec, Observation
from watcher.domain.transitions import detect, moved
from watcher.pipeline.ports import Change
from watcher.store.sql import SqlStore

READY = 500
"""Transitions that are ready at the same time, as after an outage."""
BATCHES = 8
NOTIFIERS = ("pager", "chat", "archive")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def table(rounds: int) -> Table:
    """Measure the record on SQLite."""
    many, single = [], []
    for _ in range(rounds):
        many.append(asyncio.run(microseconds(READY)))
        single.append(asyncio.run(microseconds(1)))
    return Table(
        "A transition with three deliveries, on SQLite",
        ("", "µs of processor time", "target", "met"),
        [
            [f"{READY} ready", spread(many), *Target(150, "µs").judged(statistics.median(many))],
            ["one by one", spread(single), "", ""],
        ],
        "The job's new state, the transition with the whole job object, and the deliveries; all that is ready is one"
        " transaction, on the store's own thread, whose time is counted.",
    )


async def microseconds(ready: int) -> float:
    """Record batches of so many transitions; return the processor time of each transition, all threads counted."""
    keys = [JobKey("openai", f"ftjob-{number}") for number in range(READY)]
    with TemporaryDirectory() as directory:
        async with SqlStore(f"sqlite:///{Path(directory) / 'watcher.db'}") as store:
            await store.upsert_jobs([JobSpec(key) for key in keys], NOON)
            jobs = [job for job in await store.jobs() if job.key in set(keys)]
            changes = [[] for _ in range(BATCHES)]  # type: list[list[Change]]
            for number, batch in enumerate(changes):
                batch += [_moved(job, number) for job in jobs[:ready]]
                jobs = [change.job for change in batch] + jobs[ready:]
            begin = time.process_time()
            for batch in changes:
                assert not await store.record(batch)
            return (time.process_time() - begin) / (BATCHES * ready) * 1e6


def _moved(job: Job, number: int) -> Change:
    status, at = ("running", "paused")[number % 2], NOON + timedelta(minutes=number)
    transition = detect(job, Observation(job.key, status, at, JobFacts(), BODY.decode()))
    assert transition is not None
    return Change(job.seq, replace(moved(job, transition), due_at=at), transition, NOTIFIERS)
