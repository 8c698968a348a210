"""The API, the receiver and the record tell the harness what really happened."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import timedelta
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.doubles import KEY, START, job_in, observation, planned
from tests.evidence.accepted import AcceptingReceiver
from tests.evidence.reconcile import passages_of
from tests.evidence.record import pending, read_record
from tests.evidence.truth import Passage, Truth, lives
from watcher.domain.jobs import JobSpec
from watcher.domain.transitions import detect, moved
from watcher.engine.ports import Change
from watcher.simulator.script import Fault, FaultKind, JobScript, Step
from watcher.simulator.server import Manner, Reply
from watcher.store.sql import SqlStore

NO_TIME = timedelta()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=5) as client:
        yield client


@asynccontextmanager
async def in_vain() -> AsyncIterator[None]:
    """Let an exchange fail, or go on for too long."""
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(0.3):
            yield


def statuses(passages: list[Passage]) -> list[str]:
    return [passage.status for passage in passages]


async def test_a_job_that_moves_by_the_clock_has_passed_what_its_script_says() -> None:
    ever = timedelta(hours=1)
    steps = (Step("queued", lasts=NO_TIME), Step("running", lasts=NO_TIME), Step("paused", lasts=ever), Step("failed"))
    async with Truth() as truth:
        truth.add_job(JobScript("ftjob-a", steps))
        queued, running, paused = truth.passages("ftjob-a")
        assert not truth.is_over()
        assert timedelta(0) < truth.end - paused.since <= ever
    assert statuses([queued, running, paused]) == ["queued", "running", "paused"]
    assert queued.until == running.since == running.until == paused.since
    assert paused.until == paused.since + ever


async def test_a_job_that_moves_by_answers_has_passed_what_was_told(client: httpx.AsyncClient) -> None:
    fault = Fault(status_code=500, at=2)
    async with Truth() as truth:
        truth.add_job(JobScript("ftjob-a", (Step("queued", polls=2), Step("succeeded")), faults=(fault,)))
        for _ in range(2):
            await client.get(f"{truth.base_url}/fine_tuning/jobs/ftjob-a")
        assert statuses(truth.passages("ftjob-a")) == ["queued"]
        assert truth.spoilt == {"ftjob-a": 1}
        for _ in range(2):
            await client.get(f"{truth.base_url}/fine_tuning/jobs/ftjob-a")
        queued, succeeded = truth.passages("ftjob-a")
        assert truth.is_over()
        assert truth.said("ftjob-a") == ["queued", "succeeded"]
    assert (queued.is_answered, queued.until) == (True, succeeded.since)


@pytest.mark.parametrize("kind", list(FaultKind))
async def test_what_a_fault_spoils_counts_as_not_said(client: httpx.AsyncClient, kind: FaultKind) -> None:
    async with Truth() as truth:
        truth.add_job(JobScript("ftjob-a", (Step("queued", polls=1), Step("failed")), faults=(Fault(kind),)))
        async with in_vain():
            await client.get(f"{truth.base_url}/fine_tuning/jobs/ftjob-a")
        assert truth.said("ftjob-a") == []
        assert truth.spoilt["ftjob-a"] == 1
        assert statuses(truth.passages("ftjob-a")) == ["queued"]


async def test_a_status_that_the_test_gives_ends_the_script() -> None:
    async with Truth() as truth:
        truth.add_job(JobScript("ftjob-a", (Step("queued", lasts=NO_TIME), Step("running", lasts=timedelta(hours=1)))))
        truth.set_status("ftjob-a", "running")
        truth.set_status("ftjob-a", "cancelled")
        passages = truth.passages("ftjob-a")
        assert truth.is_over()
        assert passages_of(truth) == {"ftjob-a": passages}
    assert statuses(passages) == ["queued", "running", "cancelled"]
    assert passages[1].until == passages[2].since


def test_the_same_seed_gives_the_same_lives() -> None:
    span = timedelta(seconds=9)
    once, again = (lives(Random(7), 20, span) for _ in range(2))
    assert once == again
    assert len({job.id for job in once}) == 20
    lengths = [sum((step.lasts for step in job.steps if step.lasts), timedelta()) for job in once]
    assert all(0.29 * span < length < 1.01 * span for length in lengths)


@pytest.mark.parametrize(
    ("reply", "is_taken"),
    [
        (Reply(200), True),
        (Reply(204), True),
        (Reply(500), False),
        (Reply(302, {"location": "/"}), False),
        (Reply(200, manner=Manner.RESET), False),
        (Reply(200, body=b"taken", manner=Manner.RESET_MID_BODY), False),
    ],
)
async def test_only_a_whole_answer_of_success_is_acceptance(
    client: httpx.AsyncClient, reply: Reply, is_taken: bool
) -> None:
    data = {"id": "ftjob-a", "status": "running", "previous_status": None}
    envelope = {"id": "evt_1", "type": "fine_tuning.job.running", "data": data}
    async with AcceptingReceiver(answers=[reply]) as receiver:
        async with in_vain():
            await client.post(receiver.url, content=json.dumps(envelope), headers={"webhook-id": "evt_1"})
        taken = [(each.id, each.job, each.status, each.previous_status) for each in receiver.accepted]
        assert taken == ([("evt_1", "ftjob-a", "running", None)] if is_taken else [])
        assert receiver.refused == (not is_taken)


async def test_what_the_watcher_says_of_itself_is_kept_apart(client: httpx.AsyncClient) -> None:
    envelope = {"id": "evt_1", "type": "watcher.source.failing", "data": {}}
    async with AcceptingReceiver() as receiver:
        await client.post(receiver.url, content=json.dumps(envelope), headers={"webhook-id": "evt_1"})
        assert (receiver.conditions, receiver.accepted) == (["watcher.source.failing"], [])


async def test_the_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "watcher.db"
    async with SqlStore(f"sqlite:///{path}") as store:
        await store.upsert_jobs([JobSpec(KEY)], START)
        before = job_in(None)
        transition = detect(before, observation("running"))
        assert transition
        await store.record([Change(0, moved(before, transition), transition, planned("pager"))])
        record = read_record(f"sqlite:///{path}")
    (entry,) = record.transitions
    assert (entry.job, entry.seq, entry.previous_status, entry.status) == (KEY.id, transition.seq, None, "running")
    assert [(recipients.notifier, recipients.id, recipients.state) for recipients in record.deliveries] == [
        ("pager", entry.id, "pending")
    ]
    assert record.states() == {"pending": 1}
    assert record.histories() == {KEY.id: [entry]}
    assert pending(f"sqlite:///{path}") == 1
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE delivery SET state = 'dead'")
    assert pending(f"sqlite:///{path}") == 0
