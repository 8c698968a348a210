"""A receiver that is down for hours, while the service is restarted: everything arrives, once and in order.

The hours are those of a clock that the test moves; the service, its SQLite file, the API and the receiver are real.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import tomli_w

from tests.doubles import START, ManualClock, RecordingLog, runtime, transition_of
from tests.e2e.settings import API_KEY, WEBHOOK_SECRET, jobs, settings, statuses, webhook
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

LIVES = {
    "ftjob-long": ("validating_files", "queued", "running", "succeeded"),
    "ftjob-short": ("queued", "running", "failed"),
}
STATUS_LASTS = timedelta(minutes=95)
"""The last status comes well within the eight hours."""
STEP = timedelta(minutes=10)


class MovedService:
    """A service whose time is moved by hand."""

    def __init__(self, plan: ServicePlan, clock: ManualClock) -> None:
        self._plan = plan
        self._clock = clock

    @asynccontextmanager
    async def started(self) -> AsyncIterator[tuple[SqlStore, Pipeline]]:
        """Start it; at the end, stop it as its daemon does."""
        async with self._plan.open_store() as store, self._plan.open_pipeline(store) as pipeline:
            await self._plan.watch_jobs(store)
            observing = asyncio.create_task(pipeline.poller.run())
            delivering = asyncio.create_task(pipeline.deliver.run())
            yield store, pipeline
            observing.cancel()
            pipeline.deliver.stop()
            await asyncio.wait([observing, delivering])

    async def run_for(self, hours: int) -> None:
        """Start it, let it work for so many hours, and stop it."""
        async with self.started() as (store, pipeline):
            for _ in range(int(timedelta(hours=hours) / STEP)):
                self._clock.at += STEP
                await self._do_what_is_due(store, pipeline)

    async def _do_what_is_due(self, store: SqlStore, pipeline: Pipeline) -> None:
        async with asyncio.timeout(10):
            while await self._is_busy(store):
                pipeline.poller.wake()
                pipeline.deliver.wake()
                await asyncio.sleep(0.005)

    async def _is_busy(self, store: SqlStore) -> bool:
        now = self._clock()
        if any(job.due_at is not None and job.due_at <= now for job in await store.jobs()):
            return True
        return any(each.next_at <= now for each in await foremost(store))


async def foremost(store: SqlStore) -> list[Delivery]:
    """Return the first pending delivery of each job: those behind it wait for it."""
    pending = await store.deliveries(states=[DeliveryState.PENDING])
    return list({transition_of(each).key: each for each in pending}.values())  # the newest come first, the oldest stay


async def test_after_eight_hours_of_outage_and_restarts_all_arrives_once_and_in_order(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    clock = ManualClock()
    refused: list[Received] = []
    script = Script(tuple(JobScript(job_id, life(*names)) for job_id, names in LIVES.items()), api_key=API_KEY)
    async with FineTuningApi(script, clock=clock) as api:
        url = f"http://127.0.0.1:{unused_tcp_port}/hooks"
        service = MovedService(plan(tmp_path, api.base_url, url, clock), clock)
        for hour in range(0, 8, 2):
            if hour == 4:
                async with Receiver(answers=[Reply(503)], clock=clock, port=unused_tcp_port) as receiver:
                    await service.run_for(hours=2)
                    refused = receiver.received
            else:
                await service.run_for(hours=2)
        async with Receiver(secret=WEBHOOK_SECRET, clock=clock, port=unused_tcp_port) as receiver:
            await service.run_for(hours=4)
            arrived = receiver.received

    bodies = [json.loads(message.body) for message in arrived]
    assert all(message.verified for message in arrived)
    assert all(message.at > START + timedelta(hours=8) for message in arrived)
    assert len(arrived) == sum(map(len, LIVES.values()))
    for job_id, names in LIVES.items():
        assert statuses(body for body in bodies if body["data"]["id"] == job_id) == list(names)
    first_of_each = {body["data"]["id"]: body["id"] for body in reversed(bodies)}
    assert {message.headers["webhook-id"] for message in refused} == set(first_of_each.values())
    async with service.started() as (store, _):
        recorded = [each for job_id in LIVES for each in await store.history(JobKey("openai", job_id))]
        settled = await store.deliveries()
    assert {event_id(each.key.source, each.key.id, each.seq) for each in recorded} == {body["id"] for body in bodies}
    assert {each.state for each in settled} == {DeliveryState.DELIVERED}
    assert max(each.attempts for each in settled) > 8


def life(*names: str) -> tuple[Step, ...]:
    return (*(Step(name, lasts=STATUS_LASTS) for name in names[:-1]), Step(names[-1]))


def plan(directory: Path, base_url: str, url: str, clock: ManualClock) -> ServicePlan:
    path = directory / "watcher.toml"
    document = settings(
        base_url,
        directory / "watcher.db",
        polling={"interval": "10m"},
        jobs=jobs(*LIVES),
        notifiers={"pager": webhook(url)},
    )
    path.write_text(tomli_w.dumps(document))
    return ServicePlan(load(path), runtime(clock, RecordingLog()))
