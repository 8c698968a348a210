"""A service whose clock the test moves, between a simulated API and receivers of every kind.

The pipeline, its SQLite file, the API and the receivers are real.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import tomli_w

from tests.doubles import START, ManualClock, NoPacer, RecordingLog, runtime
from tests.e2e.processes import LIMIT
from tests.e2e.settings import API_KEY, WEBHOOK_SECRET, jobs, settings, slack, webhook
from tests.evidence.accepted import AcceptedMessage, RecordingReceiver
from tests.evidence.database import read_database
from tests.evidence.expected import RecordingApi, expected_periods
from tests.evidence.reconcile import Coverage, reconcile
from tests.evidence.report import Report
from watcher.domain.deliveries import Delivery, DeliveryState
from watcher.service.bootstrap import Pipeline, ServicePlan
from watcher.service.notifiers import NotifierLimits
from watcher.settings.validation import load
from watcher.simulator.receiver import ACCEPTED, Receiver
from watcher.simulator.script import JobScript, Script, Step
from watcher.simulator.server import Clock, Received, Reply
from watcher.store.sql import SqlStore

ATTEMPT_TIMEOUT = timedelta(seconds=2)
"""How long a receiver may take: some hang, and real time passes then."""
JOBS = ("ftjob-a", "ftjob-b", "ftjob-c")
STATUSES = ("queued", "running", "succeeded")
HEALTHY = "healthy"
"""The notifier whose receiver works: it also hears that the other notifiers fail."""


@asynccontextmanager
async def service(plan: ServicePlan) -> AsyncIterator[tuple[SqlStore, Pipeline]]:
    """Start the service in this process; at the end, stop it as its daemon does."""
    async with plan.open_store() as store, plan.open_pipeline(store) as pipeline:
        await plan.watch_jobs(store)
        polling = asyncio.create_task(pipeline.poller.run())
        delivering = asyncio.create_task(pipeline.deliver.run())
        yield store, pipeline
        polling.cancel()
        pipeline.deliver.stop()
        await asyncio.wait([polling, delivering])


class SlackChannel(Receiver):
    """An incoming webhook of Slack that records the messages about jobs that it accepted."""

    def __init__(self, *, clock: Clock) -> None:
        super().__init__(clock=clock)
        self.accepted: list[AcceptedMessage] = []

    async def _answer(self, received: Received) -> Reply:
        reply = await super()._answer(received)
        if reply == ACCEPTED:
            self.accepted.append(_parsed(received))
        return reply


def _parsed(message: Received) -> AcceptedMessage:
    """Read the text that a person would read."""
    text = json.loads(message.body)["text"]
    ((job, status),) = re.findall(r"^\S+ (\S+): (?:first seen, )?(\w+)", text)  # without a name, called by its id
    before = re.search(r"Before: (\w+)", text)
    return AcceptedMessage(event_id_in(message), job, status, before and before[1], message.at)


def event_id_in(message: Received) -> str:
    """Return the event id that a message of either kind carries."""
    (found,) = set(re.findall(r"evt_[0-9a-f]{32}", message.body.decode()))
    return str(found)


class ManualTimeEnvironment:
    """A service whose clock the test moves, a simulated API, and a receiver for each notifier."""

    def __init__(self, directory: Path, faulty: Sequence[str], interval: timedelta) -> None:
        """`faulty` are the names of notifiers beside the healthy one; a name that begins with `slack` is its kind."""
        self.clock = ManualClock()
        self.api: RecordingApi
        self.receivers: dict[str, RecordingReceiver | SlackChannel] = {
            name: SlackChannel(clock=self.clock)
            if name.startswith("slack")
            else RecordingReceiver(secret=WEBHOOK_SECRET, clock=self.clock)
            for name in (*faulty, HEALTHY)
        }
        self.store: SqlStore
        self._pipeline: Pipeline
        self._directory = directory
        self._interval = interval

    @asynccontextmanager
    async def started(self, *lasts: timedelta) -> AsyncIterator[None]:
        """Start everything; `lasts` are the times that the jobs stay in each status but the last."""
        steps = [Step(status, lasts=long) for status, long in zip(STATUSES, [*lasts, None], strict=True)]
        script = Script(tuple(JobScript(job, tuple(steps)) for job in JOBS), api_key=API_KEY)
        async with AsyncExitStack() as stack:
            self.api = await stack.enter_async_context(RecordingApi(script, clock=self.clock))
            for receiver in self.receivers.values():
                await stack.enter_async_context(receiver)
            self.store, self._pipeline = await stack.enter_async_context(service(self._plan()))
            yield

    async def advance(self, duration: timedelta, *, until_delivered: bool = False) -> None:
        """Advance the clock from one due time to the next, and run self-monitoring at each.

        With `until_delivered`, stop as soon as no delivery is pending.
        """
        end = self.clock.at + duration
        await self._run_what_is_due()
        while self.clock.at < end and not (until_delivered and not await self._first_pending()):
            self.clock.at = min([end, self.clock.at + self._interval / 3, *await self._due_times()])
            await self._run_what_is_due()

    def attempts(self, notifier: str) -> dict[str, list[timedelta]]:
        """Return the times, since the start, at which each event was sent to the notifier's receiver."""
        found: dict[str, list[timedelta]] = {}
        for message in self.receivers[notifier].received:
            found.setdefault(event_id_in(message), []).append(message.at - START)
        return found

    def conditions(self, notifier: str) -> list[tuple[str, timedelta, str]]:
        """Return the conditions of a notifier that the healthy receiver got: type, time since the start, error."""
        bodies = [(json.loads(message.body), message.at - START) for message in self.receivers[HEALTHY].received]
        return [
            (body["type"], at, body["data"].get("error", ""))
            for body, at in bodies
            if body["data"].get("notifier") == notifier
        ]

    def states(self, notifier: str) -> dict[str, str]:
        """Return the state of each delivery to the notifier, by the id of its event."""
        return {each.id: each.state for each in read_database(self._url).deliveries if each.notifier == notifier}

    def report(self, *notifiers: str) -> Report:
        """Compare the script, the database and what the receivers of these notifiers accepted."""
        accepted = {name: self.receivers[name].accepted for name in notifiers}
        return reconcile(expected_periods(self.api), read_database(self._url), accepted, Coverage(self._interval))

    @property
    def _url(self) -> str:
        return f"sqlite:///{self._directory / 'watcher.db'}"

    def _plan(self) -> ServicePlan:
        notifiers: dict[str, Mapping[str, Any]] = {
            name: (slack if name.startswith("slack") else webhook)(receiver.url, events=["jobs"])
            for name, receiver in self.receivers.items()
        }
        path = self._directory / "watcher.toml"
        document = settings(
            self.api.base_url,
            self._directory / "watcher.db",
            polling={"interval": f"{self._interval.total_seconds():g}s", "cadence": "fixed"},
            jobs=jobs(*JOBS),
            notifiers=notifiers | {HEALTHY: webhook(self.receivers[HEALTHY].url)},
        )
        path.write_text(tomli_w.dumps(document))
        limits = NotifierLimits(ATTEMPT_TIMEOUT, NoPacer())
        return ServicePlan(load(path), runtime(self.clock, RecordingLog()), limits=limits)

    async def _run_what_is_due(self) -> None:
        poller, deliver, self_monitoring = self._pipeline.poller, self._pipeline.deliver, self._pipeline.self_monitoring
        async with asyncio.timeout(LIMIT.total_seconds()):
            while True:
                while await self._is_anything_due():
                    poller.wake()
                    deliver.wake()
                    await asyncio.sleep(0.005)
                await self_monitoring.look(poller.sources.health(), deliver.health())
                if not await self._is_anything_due():
                    return

    async def _is_anything_due(self) -> bool:
        """Return whether anything is due, being asked for, or not recorded: what was claimed is due later."""
        return not self._pipeline.poller.is_idle or any(at <= self.clock.at for at in await self._due_times())

    async def _due_times(self) -> list[datetime]:
        polls = [job.due_at for job in await self.store.jobs() if job.due_at]
        return polls + [max(each.next_at, self._quiet_until(each.notifier)) for each in await self._first_pending()]

    def _quiet_until(self, notifier: str) -> datetime:
        """Return the time until which a receiver has asked for no message at all."""
        return self.clock.at + self._pipeline.deliver.pause_left(notifier)

    async def _first_pending(self) -> Collection[Delivery]:
        """Return the first pending delivery of each job to each notifier: the later ones wait for it."""
        newest_first = await self.store.deliveries(states=[DeliveryState.PENDING], limit=10_000)
        return {(each.notifier, each.event.subject): each for each in newest_first}.values()
