"""What is served in the tests, and what happened before."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import httpx

from tests.doubles import START, observation, planned
from watcher.domain.health import DiscoveryHealth, HealthSnapshot
from watcher.domain.jobs import JobFacts, JobKey, JobSpec
from watcher.domain.states import is_terminal
from watcher.domain.transitions import Transition, detect, moved
from watcher.engine.ports import Change
from watcher.store.sql import SqlStore

TOKEN = "a-token-of-the-tests"

Site = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


def a_health_snapshot(**changes: object) -> HealthSnapshot:
    """Return how a pipeline stands that has just begun, with the changes given."""
    usual: dict[str, object] = {
        "since": START,
        "longest_wait": timedelta(seconds=30),
        "stalled": (),
        "watched": 0,
        "last_answers": {"openai": None},
        "rejections": {},
        "notifiers": ("pager",),
        "store_error": None,
        "has_condition": False,
        "discovery": [DiscoveryHealth("nlp", "openai", 0, None)],
    }
    return HealthSnapshot(**(usual | changes))  # type: ignore[arg-type]


def find_job(source: str | None, job_id: str) -> JobSpec:
    """Find a job that no configuration names."""
    return JobSpec(JobKey(source or "openai", job_id))


def as_query(value: object) -> str | None:
    """Return the readable id of a parameter that is a query; other parameters have their usual ids."""
    return urlencode(value) or "everything" if isinstance(value, dict) else None


async def watch(store: SqlStore, *ids: str, source: str = "openai") -> None:
    """Watch jobs, since the start."""
    await store.upsert_jobs([JobSpec(JobKey(source, each)) for each in ids], START)


async def see(
    store: SqlStore, job_id: str, *statuses: str, recipients: tuple[str, ...] = (), facts: JobFacts | None = None
) -> list[Transition]:
    """Record that a watched job passed through statuses, a minute each, and who is owed that; `facts` come last."""
    transitions = []
    for minute, status in enumerate(statuses):
        key = JobKey("openai", job_id)
        job = await store.job(key)
        assert job is not None
        seen = observation(status, START + timedelta(minutes=minute), key)
        if facts and minute == len(statuses) - 1:
            seen = replace(seen, facts=facts)
        transition = detect(job, seen)
        assert transition is not None
        after = moved(job, transition)
        after = after._replace(due_at=None) if is_terminal(after.state) else after
        assert not await store.record([Change(job.seq, after, transition, planned(*recipients))])
        transitions.append(transition)
    return transitions
