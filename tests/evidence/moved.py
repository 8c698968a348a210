"""A service whose time is moved by hand, beside receivers of every kind that are put out of order and mended.

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

from tests.doubles import START, ManualClock, RecordingLog, runtime, transition_of
from tests.e2e.processes import LIMIT
from tests.e2e.settings import API_KEY, WEBHOOK_SECRET, jobs, settings, slack, webhook
from tests.e2e.test_outage import MovedService
from tests.evidence.accepted import Acceptance, AcceptingReceiver
from tests.evidence.reconcile import Follow, passages_of, reconcile
from tests.evidence.record import read_record
from tests.evidence.tally import Tally
from tests.evidence.truth import Truth
from watcher.domain.deliveries import Delivery, DeliveryState
from watcher.service.bootstrap import Pipeline, ServicePlan
from watcher.settings.validation import load
from watcher.simulator.receiver import ACCEPTED, Receiver
from watcher.simulator.script import JobScript, Script, Step
from watcher.simulator.server import Clock, Received, Reply
from watcher.store.sql import SqlStore

JOBS = ("ftjob-a", "ftjob-b", "ftjob-c")
STATUSES = ("queued", "running", "succeeded")
HEALTHY = "healthy"
"""The notifier whose receiver nothing is wrong with, and which hears of the others' failing."""


class SlackChannel(Receiver):
    """An incoming webhook of Slack that logs what it took of jobs."""

    def __init__(self, *, clock: Clock) -> None:
        super().__init__(clock=clock)
        self.accepted: list[Acceptance] = []

    async def _answer(self, received: Received) -> Reply:
        reply = await super()._answer(received)
        if reply == ACCEPTED:
            self.accepted.append(_read(received))
        return reply


def _read(message: Received) -> Acceptance:
    """Read what a person would."""
    text = json.loads(message.body)["text"]
    (told,) = re.findall(r": (?:first seen, )?(\w+) · Job: (\S+)", text)
    before = re.search(r"Before: (\w+)", text)
    return Acceptance(id_of(message), told[1], told[0], before and before[1], message.at)


def id_of(message: Received) -> str:
    """Return the id that a message of either kind carries."""
    (found,) = set(re.findall(r"evt_[0-9a-f]{32}", message.body.decode()))
    return str(found)


class MovedStage:
    """A service whose time is moved, between an API and the receivers of its notifiers."""

    def __init__(self, directory: Path, faulty: Sequence[str], interval: timedelta) -> None:
        self.clock = ManualClock()
        self.truth: Truth
        self.receivers: dict[str, AcceptingReceiver | SlackChannel] = {
            name: SlackChannel(clock=self.clock)
            if name.startswith("slack")
            else AcceptingReceiver(secret=WEBHOOK_SECRET, clock=self.clock)
            for name in (*faulty, HEALTHY)
        }
        self.store: SqlStore
        self._pipeline: Pipeline
        self._directory = directory
        self._interval = interval

    @asynccontextmanager
    async def opened(self, *lasts: timedelta) -> AsyncIterator[None]:
        """Start everything; the jobs stay in each status but the last for so long."""
        steps = [Step(status, lasts=long) for status, long in zip(STATUSES, [*lasts, None], strict=True)]
        script = Script(tuple(JobScript(job, tuple(steps)) for job in JOBS), api_key=API_KEY)
        async with AsyncExitStack() as stack:
            self.truth = await stack.enter_async_context(Truth(script, clock=self.clock))
            for receiver in self.receivers.values():
                await stack.enter_async_context(receiver)
            service = MovedService(self._plan(), self.clock)
            self.store, self._pipeline = await stack.enter_async_context(service.started())
            yield

    async def live(self, duration: timedelta, *, until_delivered: bool = False) -> None:
        """Let the time pass, from one thing that is due to the next, and look at how all stands meanwhile.

        On request no longer than anything is owed.
        """
        end = self.clock.at + duration
        await self._do_what_is_due()
        while self.clock.at < end and not (until_delivered and not await self._foremost()):
            self.clock.at = min([end, self.clock.at + self._interval / 3, *await self._due()])
            await self._do_what_is_due()

    def attempts(self, notifier: str) -> dict[str, list[timedelta]]:
        """Say how long after the start each event was sent to the notifier's receiver."""
        found: dict[str, list[timedelta]] = {}
        for message in self.receivers[notifier].received:
            found.setdefault(id_of(message), []).append(message.at - START)
        return found

    def conditions(self, notifier: str) -> list[tuple[str, timedelta, str]]:
        """Return what the healthy receiver was told of a notifier: what, how long after the start, with which error."""
        bodies = [(json.loads(message.body), message.at - START) for message in self.receivers[HEALTHY].received]
        return [
            (body["type"], at, body["data"].get("error", ""))
            for body, at in bodies
            if body["data"].get("notifier") == notifier
        ]

    def states(self, notifier: str) -> dict[str, str]:
        """Return the state of each delivery to the notifier, by the ids of the events."""
        return {each.id: each.state for each in read_record(self._url).deliveries if each.notifier == notifier}

    def tally(self, *notifiers: str) -> Tally:
        """Reconcile the script, the record and what the receivers of these notifiers took."""
        logs = {name: self.receivers[name].accepted for name in notifiers}
        return reconcile(passages_of(self.truth), read_record(self._url), logs, Follow(self._interval))

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
            self.truth.base_url,
            self._directory / "watcher.db",
            polling={"interval": f"{self._interval.total_seconds():g}s", "cadence": "fixed"},
            jobs=jobs(*JOBS),
            notifiers=notifiers | {HEALTHY: webhook(self.receivers[HEALTHY].url)},
        )
        path.write_text(tomli_w.dumps(document))
        return ServicePlan(load(path), runtime(self.clock, RecordingLog()))

    async def _do_what_is_due(self) -> None:
        poller, deliver, self_monitoring = self._pipeline.poller, self._pipeline.deliver, self._pipeline.self_monitoring
        async with asyncio.timeout(LIMIT.total_seconds()):
            while True:
                while await self._is_anything_due():
                    poller.wake()
                    deliver.wake()
                    await asyncio.sleep(0.005)
                await self_monitoring.look(poller.health(), deliver.health())
                if not await self._is_anything_due():
                    return

    async def _is_anything_due(self) -> bool:
        return any(at <= self.clock.at for at in await self._due())

    async def _due(self) -> list[datetime]:
        polls = [job.due_at for job in await self.store.jobs() if job.due_at]
        return polls + [max(each.next_at, self._quiet_until(each.notifier)) for each in await self._foremost()]

    def _quiet_until(self, notifier: str) -> datetime:
        """Say until when a receiver has asked to be left alone, by all messages."""
        return self.clock.at + self._pipeline.deliver.pause_left(notifier)

    async def _foremost(self) -> Collection[Delivery]:
        """Return the first pending delivery of each job to each notifier: those behind it wait for it."""
        newest_first = await self.store.deliveries(states=[DeliveryState.PENDING], limit=10_000)
        return {(each.notifier, transition_of(each).key): each for each in newest_first}.values()
