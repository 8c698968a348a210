"""What happens to a store, in a few words for the tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from tests.doubles import planned
from watcher.domain.deliveries import Delivered, Delivery, Failed, Outcome, Rejected, after_attempt
from watcher.domain.jobs import Job, JobFacts, JobKey, JobSpec, Observation
from watcher.domain.states import OPENAI_STATES, is_terminal
from watcher.domain.transitions import detect, moved
from watcher.engine.ports import Change, ClaimRequest
from watcher.store.sql import SqlStore

NOON = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
KEY = JobKey("openai", "ftjob-1")
TABLES = (
    "job",
    "transition",
    "condition",
    "condition_event",
    "condition_telling",
    "delivery",
    "metric_point",
    "event_reading",
    "milestone",
    "receipt",
    "silence",
    "service",
    "service_settings",
)
"""The tables that hold what was recorded."""
DELIVERED, FAILED, REJECTED = Delivered("200: ok"), Failed("receiver answered 503"), Rejected("receiver answered 410")


def key(number: int, source: str = "openai") -> JobKey:
    """Return the key of a job."""
    return JobKey(source, f"ftjob-{number}")


def keys(jobs: Iterable[Job]) -> list[JobKey]:
    """Return the keys of the jobs."""
    return [job.key for job in jobs]


async def watch(store: SqlStore, *keys: JobKey, now: datetime = NOON) -> list[Job]:
    """Have the jobs watched, and return them as recorded."""
    await store.upsert_jobs([JobSpec(each) for each in keys], now)
    return [await the_job(store, each) for each in keys]


async def the_job(store: SqlStore, wanted: JobKey = KEY) -> Job:
    """Return a job that the store must hold."""
    job = await store.job(wanted)
    assert job is not None
    return job


def move(job: Job, status: str, at: datetime = NOON, recipients: Sequence[str] = (), **observed: Any) -> Change:
    """Return the change of a job that was seen in another status; polled again a minute later, unless it is over."""
    seen = Observation(
        job.key, status, OPENAI_STATES(status), at, observed.get("facts", JobFacts()), observed.get("document", "{}")
    )
    transition = detect(job, seen)
    assert transition is not None
    now = moved(job, transition)._replace(due_at=None if is_terminal(OPENAI_STATES(status)) else at + MINUTE)
    return Change(job.seq, now, transition, planned(*recipients))


async def claim_jobs(
    store: SqlStore, limit: int = 10, source: str = "openai", now: datetime = NOON, **how: Any
) -> Sequence[Job]:
    """Take due jobs of a source; they are due again a minute later."""
    return await store.claim_due({source: ClaimRequest(limit, now + MINUTE, **how)}, now)


async def owe(store: SqlStore, statuses: Sequence[str] = ("running",), *notifiers: str, job: JobKey = KEY) -> None:
    """Have a job pass the statuses, a second apart, and the transitions owed to the notifiers, else to `pager`."""
    (current,) = await watch(store, job)
    for number, status in enumerate(statuses):
        change = move(current, status, NOON + number * SECOND, notifiers or ("pager",))
        assert not await store.record([change])
        current = change.job


async def claim(store: SqlStore, now: datetime = NOON + MINUTE, **capacity: int) -> Sequence[Delivery]:
    """Claim what is due for a minute: up to so many of each notifier, else up to ten for `pager`."""
    return await store.claim(capacity or {"pager": 10}, now, now + MINUTE)


async def settle(store: SqlStore, deliveries: Iterable[Delivery], outcome: Outcome, now: datetime = NOON) -> None:
    """Write what the attempts came to."""
    await store.settle([after_attempt(delivery, outcome, now, 0.0) for delivery in deliveries])


def emptied(url: str) -> str:
    """Empty the tables of a PostgreSQL database, and return its URL."""
    with psycopg.connect(url, options="-c lock_timeout=10s") as connection:
        connection.execute(f"TRUNCATE {', '.join(TABLES)} RESTART IDENTITY")
    return url


def write_file(path: Path, content: bytes) -> None:
    """Put a file there, in a directory that is made for it."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def damage(path: Path, start: int, end: int | None = None) -> None:
    """Overwrite a part of the file."""
    content = bytearray(path.read_bytes())
    content[start:end] = b"\xa5" * len(content[start:end])
    path.write_bytes(content)


@contextmanager
def left_as_it_is(path: Path) -> Iterator[None]:
    """Check that the file is the same to the byte afterwards."""
    before = path.read_bytes()
    yield
    assert path.read_bytes() == before
