"""The recording API, the recording receiver and the reader of the database report what really happened."""

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
from tests.evidence.accepted import RecordingReceiver
from tests.evidence.database import expire_claims, pending_count, read_database
from tests.evidence.expected import RecordingApi, StatusPeriod, expected_periods
from tests.evidence.postgresql import postgresql
from tests.evidence.random_jobs import random_jobs
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
async def failing_exchange() -> AsyncIterator[None]:
    """Ignore that an exchange fails or does not end."""
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(0.3):
            yield


def statuses(periods: list[StatusPeriod]) -> list[str]:
    return [period.status for period in periods]


async def test_a_job_that_changes_by_the_clock_has_the_statuses_of_its_script() -> None:
    ever = timedelta(hours=1)
    steps = (Step("queued", lasts=NO_TIME), Step("running", lasts=NO_TIME), Step("paused", lasts=ever), Step("failed"))
    async with RecordingApi() as api:
        api.add_job(JobScript("ftjob-a", steps))
        queued, running, paused = api.periods("ftjob-a")
        assert not api.is_finished()
        assert timedelta(0) < api.end - paused.since <= ever
    assert statuses([queued, running, paused]) == ["queued", "running", "paused"]
    assert queued.until == running.since == running.until == paused.since
    assert paused.until == paused.since + ever


async def test_a_job_that_changes_by_answers_has_the_statuses_that_were_reported(client: httpx.AsyncClient) -> None:
    fault = Fault(status_code=500, at=2)
    async with RecordingApi() as api:
        api.add_job(JobScript("ftjob-a", (Step("queued", polls=2), Step("succeeded")), faults=(fault,)))
        for _ in range(2):
            await client.get(f"{api.base_url}/fine_tuning/jobs/ftjob-a")
        assert statuses(api.periods("ftjob-a")) == ["queued"]
        assert api.faulty_answers == {"ftjob-a": 1}
        for _ in range(2):
            await client.get(f"{api.base_url}/fine_tuning/jobs/ftjob-a")
        queued, succeeded = api.periods("ftjob-a")
        assert api.is_finished()
        assert api.reported("ftjob-a") == ["queued", "succeeded"]
    assert (queued.ends_when_reported, queued.until) == (True, succeeded.since)


@pytest.mark.parametrize("kind", list(FaultKind))
async def test_a_faulty_answer_does_not_count_as_reported(client: httpx.AsyncClient, kind: FaultKind) -> None:
    async with RecordingApi() as api:
        api.add_job(JobScript("ftjob-a", (Step("queued", polls=1), Step("failed")), faults=(Fault(kind),)))
        async with failing_exchange():
            await client.get(f"{api.base_url}/fine_tuning/jobs/ftjob-a")
        assert api.reported("ftjob-a") == []
        assert api.faulty_answers["ftjob-a"] == 1
        assert statuses(api.periods("ftjob-a")) == ["queued"]


async def test_a_forced_status_ends_the_script() -> None:
    async with RecordingApi() as api:
        api.add_job(JobScript("ftjob-a", (Step("queued", lasts=NO_TIME), Step("running", lasts=timedelta(hours=1)))))
        api.set_status("ftjob-a", "running")
        api.set_status("ftjob-a", "cancelled")
        periods = api.periods("ftjob-a")
        assert api.is_finished()
        assert expected_periods(api) == {"ftjob-a": periods}
    assert statuses(periods) == ["queued", "running", "cancelled"]
    assert periods[1].until == periods[2].since


def test_the_same_seed_gives_the_same_jobs() -> None:
    span = timedelta(seconds=9)
    once, again = (random_jobs(Random(7), 20, span) for _ in range(2))
    assert once == again
    assert len({job.id for job in once}) == 20
    lengths = [sum((step.lasts for step in job.steps if step.lasts), timedelta()) for job in once]
    assert all(0.29 * span < length < 1.01 * span for length in lengths)


@pytest.mark.parametrize(
    ("reply", "is_accepted"),
    [
        pytest.param(Reply(200), True, id="200"),
        pytest.param(Reply(204), True, id="204"),
        pytest.param(Reply(500), False, id="500"),
        pytest.param(Reply(302, {"location": "/"}), False, id="redirect"),
        pytest.param(Reply(200, manner=Manner.RESET), False, id="reset"),
        pytest.param(Reply(200, body=b"ok" * 9, manner=Manner.RESET_MID_BODY), False, id="reset-in-the-body"),
    ],
)
async def test_only_a_complete_answer_of_success_accepts_a_message(
    client: httpx.AsyncClient, reply: Reply, is_accepted: bool
) -> None:
    data = {"id": "ftjob-a", "native_status": "running", "previous_status": None}
    envelope = {"id": "evt_1", "type": "fine_tuning.job.running", "data": data}
    async with RecordingReceiver(answers=[reply]) as receiver:
        async with failing_exchange():
            await client.post(receiver.url, content=json.dumps(envelope), headers={"webhook-id": "evt_1"})
        accepted = [(each.id, each.job, each.status, each.previous_status) for each in receiver.accepted]
        assert accepted == ([("evt_1", "ftjob-a", "running", None)] if is_accepted else [])
        assert receiver.refused == (not is_accepted)


async def test_conditions_of_the_watcher_are_kept_apart(client: httpx.AsyncClient) -> None:
    envelope = {"id": "evt_1", "type": "watcher.source.failing", "data": {}}
    async with RecordingReceiver() as receiver:
        await client.post(receiver.url, content=json.dumps(envelope), headers={"webhook-id": "evt_1"})
        assert (receiver.conditions, receiver.accepted) == (["watcher.source.failing"], [])


async def test_the_database_is_read_as_the_store_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / "watcher.db"
    async with SqlStore(f"sqlite:///{path}") as store:
        await store.upsert_jobs([JobSpec(KEY)], START)
        before = job_in(None)
        transition = detect(before, observation("running"))
        assert transition
        await store.record([Change(0, moved(before, transition), transition, planned("pager"))])
        database = read_database(f"sqlite:///{path}")
    (entry,) = database.transitions
    assert (entry.job, entry.seq, entry.previous_status, entry.status) == (KEY.id, transition.seq, None, "running")
    assert [(delivery.notifier, delivery.id, delivery.state) for delivery in database.deliveries] == [
        ("pager", entry.id, "pending")
    ]
    assert database.states() == {"pending": 1}
    assert database.histories() == {KEY.id: [entry]}
    assert pending_count(f"sqlite:///{path}") == 1
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE delivery SET state = 'dead'")
    assert pending_count(f"sqlite:///{path}") == 0


@pytest.mark.postgresql
def test_a_database_without_tables_has_no_claims() -> None:
    with postgresql() as server:
        assert expire_claims(server.new_database()) == 0
