"""A receiver that is down for hours, while the service is restarted: everything arrives, once and in order.

The test moves the clock by hours; the service, its SQLite file, the API and the receiver are real.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import tomli_w

from tests.doubles import START, ManualClock, RecordingLog, runtime, transition_of
from tests.e2e.settings import API_KEY, WEBHOOK_SECRET, jobs, settings, statuses, webhook
from tests.evidence.manual_time import service
from tests.recorded import history
from watcher.domain.deliveries import Delivery, DeliveryState
from watcher.domain.jobs import JobKey
from watcher.domain.transitions import event_id
from watcher.service.bootstrap import Pipeline, ServicePlan
from watcher.settings.validation import load
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import Receiver
from watcher.simulator.script import JobScript, Script, Step
from watcher.simulator.server import Received, Reply
from watcher.store.sql import SqlStore

STATUSES = {
    "ftjob-long": ("validating_files", "queued", "running", "succeeded"),
    "ftjob-short": ("queued", "running", "failed"),
}
STATUS_LASTS = timedelta(minutes=95)
"""The last status comes well within the eight hours."""
STEP = timedelta(minutes=10)


class RestartedService:
    """A service whose clock the test moves, and that can be started again and again."""

    def __init__(self, plan: ServicePlan, clock: ManualClock) -> None:
        self._plan = plan
        self._clock = clock

    def started(self) -> AbstractAsyncContextManager[tuple[SqlStore, Pipeline]]:
        """Start it; at the end, stop it."""
        return service(self._plan)

    async def run_for(self, hours: int) -> None:
        """Start it, advance the clock by so many hours, and stop it."""
        async with self.started() as (store, pipeline):
            for _ in range(int(timedelta(hours=hours) / STEP)):
                self._clock.at += STEP
                await self._run_what_is_due(store, pipeline)

    async def _run_what_is_due(self, store: SqlStore, pipeline: Pipeline) -> None:
        async with asyncio.timeout(10):
            while await self._is_anything_due(store):
                pipeline.poller.wake()
                pipeline.deliver.wake()
                await asyncio.sleep(0.005)

    async def _is_anything_due(self, store: SqlStore) -> bool:
        now = self._clock()
        if any(job.due_at is not None and job.due_at <= now for job in await store.jobs()):
            return True
        return any(each.next_at <= now for each in await first_pending(store))


async def first_pending(store: SqlStore) -> list[Delivery]:
    """Return the first pending delivery of each job: the later ones wait for it."""
    pending = await store.deliveries(states=[DeliveryState.PENDING])
    return list({transition_of(each).key: each for each in pending}.values())  # the newest come first, the oldest stay


async def test_after_eight_hours_of_outage_and_restarts_all_arrives_once_and_in_order(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    clock = ManualClock()
    refused: list[Received] = []
    script = Script(tuple(JobScript(job_id, steps(*names)) for job_id, names in STATUSES.items()), api_key=API_KEY)
    async with FineTuningApi(script, clock=clock) as api:
        url = f"http://127.0.0.1:{unused_tcp_port}/hooks"
        restarted = RestartedService(plan(tmp_path, api.base_url, url, clock), clock)
        for hour in range(0, 8, 2):
            if hour == 4:
                async with Receiver(answers=[Reply(503)], clock=clock, port=unused_tcp_port) as receiver:
                    await restarted.run_for(hours=2)
                    refused = receiver.received
            else:
                await restarted.run_for(hours=2)
        async with Receiver(secret=WEBHOOK_SECRET, clock=clock, port=unused_tcp_port) as receiver:
            await restarted.run_for(hours=4)
            arrived = receiver.received

    bodies = [json.loads(message.body) for message in arrived]
    assert all(message.verified for message in arrived)
    assert all(message.at > START + timedelta(hours=8) for message in arrived)
    assert len(arrived) == sum(map(len, STATUSES.values()))
    for job_id, names in STATUSES.items():
        assert statuses(body for body in bodies if body["data"]["id"] == job_id) == list(names)
    first_of_each = {body["data"]["id"]: body["id"] for body in reversed(bodies)}
    assert {message.headers["webhook-id"] for message in refused} == set(first_of_each.values())
    async with restarted.started() as (store, _):
        recorded = [each for job_id in STATUSES for each in await history(store, JobKey("openai", job_id))]
        settled = await store.deliveries()
    assert {event_id(each.key.source, each.key.id, each.seq) for each in recorded} == {body["id"] for body in bodies}
    assert {each.state for each in settled} == {DeliveryState.DELIVERED}
    assert max(each.attempts for each in settled) > 8


def steps(*names: str) -> tuple[Step, ...]:
    return (*(Step(name, lasts=STATUS_LASTS) for name in names[:-1]), Step(names[-1]))


def plan(directory: Path, base_url: str, url: str, clock: ManualClock) -> ServicePlan:
    path = directory / "watcher.toml"
    document = settings(
        base_url,
        directory / "watcher.db",
        polling={"interval": "10m"},
        jobs=jobs(*STATUSES),
        notifiers={"pager": webhook(url)},
    )
    path.write_text(tomli_w.dumps(document))
    return ServicePlan(load(path), runtime(clock, RecordingLog()))
