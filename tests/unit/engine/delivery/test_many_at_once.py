"""500 jobs that end within a minute give each notifier what its route says, and no more: on a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path

import pytest

from tests.contract.store.scenes import move
from tests.doubles import ManualClock, ScriptedNotifier
from tests.unit.engine.delivery.dispatching import dispatch, told_in
from watcher.domain.holding import Digest, Holding, QuietHours
from watcher.domain.jobs import Job, JobKey, JobSpec
from watcher.domain.notifications import plan
from watcher.domain.routing import Route
from watcher.engine.ports import Change
from watcher.store.deliveries import MOST_GROUPED
from watcher.store.sql import SqlStore

JOBS = 500
FAILED = frozenset(range(0, JOBS, 10))
NLP = frozenset(range(0, JOBS, 4))
ROUTES = (
    Route("everything"),
    Route("failures", statuses=frozenset({"failed"})),
    Route("nlp", labels={"team": "nlp"}, names=("job-*",)),
    Route("batched", holding=Holding(batch=timedelta(seconds=30))),
    Route("by outcome", holding=Holding(batch=timedelta(seconds=30), batch_by=("state",))),
    Route("night", holding=Holding(quiet=QuietHours(time(11), time(13), exempt=frozenset({"failed"})))),
    Route("daily", holding=Holding(digest=Digest(time(8)))),
    Route("elsewhere", sources=("azure",)),
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as opened:
        yield opened


def key(number: int) -> JobKey:
    return JobKey("openai", f"ftjob-{number:03}")


def end(job: Job, number: int, clock: ManualClock) -> Change:
    """Have a job end, as a poll records it."""
    change = move(job, "failed" if number in FAILED else "succeeded", clock())
    assert change.transition
    return replace(change, recipients=plan(change.transition, ROUTES, clock()))


async def test_each_notifier_gets_what_its_route_says_and_no_more(store: SqlStore) -> None:
    clock, notifiers = ManualClock(), {route.notifier: ScriptedNotifier() for route in ROUTES}
    labels = {number: {"team": "nlp" if number in NLP else "vision"} for number in range(JOBS)}
    await store.upsert_jobs([JobSpec(key(n), f"job-{n}", labels[n]) for n in range(JOBS)], clock())
    jobs = {job.key: job for job in await store.jobs()}
    ends: dict[int, str] = {}
    for first in range(0, JOBS, 50):
        changes = {number: end(jobs[key(number)], number, clock) for number in range(first, first + 50)}
        ends |= {number: change.transition.id for number, change in changes.items() if change.transition}
        await store.record(list(changes.values()))
        assert await dispatch(store, notifiers, clock, asyncio.Event())
        clock.move(seconds=5)
    for hours in (0.1, 2, 24):
        clock.move(hours=hours)
        assert await dispatch(store, notifiers, clock, asyncio.Event())

    def heard(name: str) -> tuple[int, list[str]]:
        received = notifiers[name].received
        return len(received), sorted(each for message in received for each in told_in(message))

    def of(numbers: Iterable[int]) -> list[str]:
        return sorted(ends[number] for number in numbers)

    everything = of(range(JOBS))
    assert heard("everything") == (JOBS, everything)
    assert heard("failures") == (len(FAILED), of(FAILED))
    assert heard("nlp") == (len(NLP), of(NLP))
    assert heard("batched") == (2, everything)  # the minute has two windows of 30 s
    assert heard("by outcome") == (4, everything)
    assert heard("night") == (len(FAILED) + 1, everything)
    assert heard("daily") == (1, everything)
    assert heard("elsewhere") == (0, [])
    assert await store.pending_deliveries() == {}
    [summary] = notifiers["daily"].received
    assert summary.title == "Digest: 500 jobs: 50 failed, 450 succeeded"


async def test_more_than_one_message_holds_make_a_second_one(store: SqlStore) -> None:
    clock, notifier, many = ManualClock(), ScriptedNotifier(), MOST_GROUPED + 100
    await store.upsert_jobs([JobSpec(key(number)) for number in range(many)], clock())
    jobs = enumerate(await store.jobs())
    await store.record([end(job, number, clock) for number, job in jobs])
    clock.move(minutes=1)
    assert await dispatch(store, {"batched": notifier}, clock, asyncio.Event())
    assert len(notifier.received) == 2
    assert sum(len(told_in(message)) for message in notifier.received) == many
