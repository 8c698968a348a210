"""The environment of an end-to-end run: the watcher as a process, simulated APIs, and a receiver that keeps a log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from tests.e2e.processes import Command, Running
from tests.e2e.settings import API_KEY, WEBHOOK_SECRET, Settings, settings, webhook
from tests.evidence.accepted import AcceptedMessage, RecordingReceiver
from tests.evidence.database import current_statuses, pending_count, read_database
from tests.evidence.expected import RecordingApi, expected_periods
from tests.evidence.reconcile import Coverage, reconcile
from tests.evidence.report import Report
from tests.simulated import settings_for
from watcher.simulator.script import Script

SOURCE = "openai"
NOTIFIER = "pager"
CHECK_SECONDS = 0.2
"""How often the database is read while the environment waits for a run to finish."""


class Environment:
    """The parts of a run: APIs, receiver, command and database. No job may be at two sources."""

    def __init__(
        self, apis: Mapping[str, RecordingApi], receiver: RecordingReceiver, command: Command, url: str | None = None
    ) -> None:
        """`apis` are named by their sources; `url` is that of the database.

        Without a `url` the database is an SQLite file in the command's home.
        """
        self.apis = apis
        self.receiver = receiver
        self.command = command
        self.url = url or f"sqlite:///{command.database}"

    @property
    def api(self) -> RecordingApi:
        """The API, where there is only one."""
        (api,) = self.apis.values()
        return api

    @property
    def end(self) -> datetime:
        """When the last job whose steps have a fixed length ends."""
        return max(api.end for api in self.apis.values())

    def settings(self, **parts: Any) -> Settings:
        """Return settings that watch all jobs of all APIs; `parts` replace or add sections."""
        usual = {
            "sources": {name: _source_at(api) for name, api in self.apis.items()},
            "store": {"url": self.url},
            "jobs": [{"id": job, "source": name} for name, api in self.apis.items() for job in api.ids],
            "notifiers": {NOTIFIER: webhook(self.receiver.url)},
            "log": {"level": "info"},
        }
        return settings("", self.command.database, **(usual | parts))

    def accepted(self) -> Mapping[str, Sequence[AcceptedMessage]]:
        """Return what the receiver accepted, by the name of its notifier."""
        return {NOTIFIER: self.receiver.accepted}

    def report(self, coverage: Coverage) -> Report:
        """Compare what happened, what is recorded and what was accepted so far."""
        return reconcile(expected_periods(*self.apis.values()), read_database(self.url), self.accepted(), coverage)

    def is_settled(self, *names: str) -> bool:
        """Return whether every job has ended, and its transitions are recorded and delivered.

        With names of sources, look at their jobs only and ignore pending deliveries.
        """
        apis = [self.apis[name] for name in names or self.apis]
        if not all(api.is_finished() for api in apis):
            return False
        recorded = current_statuses(self.url)
        if any(recorded.get(job) != api.native_status(job) for api in apis for job in api.ids):
            return False
        # After the statuses: what is recorded between the two reads would be neither pending yet nor missing any more.
        return bool(names) or not pending_count(self.url)

    async def until_settled(self, running: Running, within: timedelta, *names: str) -> None:
        """Wait until `is_settled`, or until the time is over: then the report says what is missing.

        Fails when the watcher ends before that.
        """
        until = asyncio.get_running_loop().time() + within.total_seconds()
        while not self.is_settled(*names) and asyncio.get_running_loop().time() < until:
            assert running.is_alive, f"the watcher has ended; it wrote\n{running.err[-5000:]}"
            await asyncio.sleep(CHECK_SECONDS)


def _source_at(api: RecordingApi) -> Settings:
    return {"kind": str(api.script.dialect), "api_key": API_KEY, **settings_for(api)}


@asynccontextmanager
async def open_environment(command: Command, script: Script, url: str | None = None) -> AsyncIterator[Environment]:
    """Start one API with the script, and a receiver that accepts everything."""
    async with open_environment_with(command, {SOURCE: script}, url) as environment:
        yield environment


@asynccontextmanager
async def open_environment_with(
    command: Command, scripts: Mapping[str, Script], url: str | None = None
) -> AsyncIterator[Environment]:
    """Start an API for each script, named by its source, and a receiver that accepts everything."""
    async with AsyncExitStack() as stack:
        apis = {name: await stack.enter_async_context(RecordingApi(script)) for name, script in scripts.items()}
        receiver = await stack.enter_async_context(RecordingReceiver(secret=WEBHOOK_SECRET))
        yield Environment(apis, receiver, command, url)
