"""A year of a busy record, in a minute: how large the database is while old news is pruned each day."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.results import Table
from tests.benchmarks.server import JOB
from tests.doubles import planned
from watcher.domain.deliveries import Delivered, after_attempt
from watcher.domain.jobs import Job, JobFacts, JobKey, JobSpec, Observation
from watcher.domain.states import OPENAI_STATES, is_terminal
from watcher.domain.transitions import detect, moved
from watcher.engine.ports import Change
from watcher.store.sql import SqlStore

JOBS_PER_DAY = 50
STATUSES = ("validating_files", "queued", "running", "succeeded")
NOTIFIERS = ("pager", "chat", "archive")
RETENTION_DAYS = 90
SHOWN = (30, 90, 120, 180, 365)
CONCURRENCY = 500
DAY = timedelta(days=1)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Print the table."""
    header, rows = table()
    sys.stdout.write(Table(f"A year of {JOBS_PER_DAY} jobs a day", header, rows).text())


def table() -> tuple[list[str], list[list[str]]]:
    """Live through the year; return what the columns are called, and a row for each of some days."""
    return asyncio.run(_table())


async def _table() -> tuple[list[str], list[list[str]]]:
    rows: list[list[str]] = []
    with TemporaryDirectory() as directory:
        path = Path(directory) / "watcher.db"
        async with SqlStore(f"sqlite:///{path}") as store:
            for day in range(1, max(SHOWN) + 1):
                pruning = await _live(store, day)
                if day in SHOWN:
                    rows.append(await _row(store, path, day, pruning))
    return ["day", "jobs", "transitions", "deliveries", "size, MB", "pruning a day, s"], rows


async def _live(store: SqlStore, day: int) -> float:
    """Let a day's jobs live and be told of, then prune; return the seconds that pruning took."""
    today = BEGIN + day * DAY
    keys = [JobKey("openai", f"ftjob-{day}-{number}") for number in range(JOBS_PER_DAY)]
    await store.upsert_jobs([JobSpec(key, "support-bot", {"team": "nlp"}) for key in keys], today)
    jobs = [Job(key, "support-bot", {"team": "nlp"}, due_at=today) for key in keys]
    for hour, status in enumerate(STATUSES):
        now = today + timedelta(hours=hour)
        changes = [_change(job, status, now) for job in jobs]
        await store.record(changes)
        await _deliver(store, now)
        jobs = [change.job for change in changes]
    begun = time.perf_counter()
    await store.prune(today - RETENTION_DAYS * DAY)
    return time.perf_counter() - begun


def _change(job: Job, status: str, now: datetime) -> Change:
    document = json.dumps(JOB | {"id": job.key.id, "status": status})
    transition = detect(
        job,
        Observation(job.key, status, OPENAI_STATES(status), now, JobFacts(model="gpt-4o-mini-2024-07-18"), document),
    )
    assert transition is not None
    due_at = None if is_terminal(OPENAI_STATES(status)) else now + timedelta(minutes=1)
    return Change(job.seq, moved(job, transition)._replace(due_at=due_at), transition, planned(*NOTIFIERS))


async def _deliver(store: SqlStore, now: datetime) -> None:
    room = dict.fromkeys(NOTIFIERS, CONCURRENCY)
    while claimed := await store.claim(room, now, now + timedelta(minutes=1)):
        await store.settle([after_attempt(delivery, Delivered(), now, 0) for delivery in claimed])


async def _row(store: SqlStore, path: Path, day: int, pruning: float) -> list[str]:
    jobs = await store.jobs(include_removed=True)
    deliveries = len(await store.deliveries(limit=100_000_000))
    size = sum(file.stat().st_size for file in path.parent.iterdir()) / 1e6
    figures = (day, len(jobs), deliveries // len(NOTIFIERS), deliveries)
    return [*(f"{figure:,}" for figure in figures), f"{size:.1f}", f"{pruning:.2f}"]


if __name__ == "__main__":
    main()
