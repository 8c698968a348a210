"""The installed watcher as a process, between APIs that are the truth and a receiver that keeps a log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from tests.e2e.processes import Command, Running
from tests.e2e.settings import API_KEY, WEBHOOK_SECRET, Settings, settings, webhook
from tests.evidence.accepted import Acceptance, AcceptingReceiver
from tests.evidence.reconcile import Follow, passages_of, reconcile
from tests.evidence.record import pending, read_record, statuses
from tests.evidence.tally import Tally
from tests.evidence.truth import Truth
from watcher.simulator.script import Script

SOURCE = "openai"
NOTIFIER = "pager"
LOOK_SECONDS = 0.2
"""How often the record is looked at while a run comes to its end."""


class Stage:
    """What a run plays on, and where its books are balanced. No job may be at two sources."""

    def __init__(
        self, truths: Mapping[str, Truth], receiver: AcceptingReceiver, command: Command, url: str | None = None
    ) -> None:
        """`truths` are the APIs by the names of their sources; `url` is that of the record.

        None for the record is an SQLite file in the command's home.
        """
        self.truths = truths
        self.receiver = receiver
        self.command = command
        self.url = url or f"sqlite:///{command.database}"

    @property
    def truth(self) -> Truth:
        """The one API there is."""
        (truth,) = self.truths.values()
        return truth

    @property
    def end(self) -> datetime:
        """When the last job that moves by the clock comes to its end."""
        return max(truth.end for truth in self.truths.values())

    def settings(self, **parts: Any) -> Settings:
        """Return settings that watch all jobs of all APIs; `parts` replace or add sections."""
        usual = {
            "sources": {name: {"base_url": truth.base_url, "api_key": API_KEY} for name, truth in self.truths.items()},
            "store": {"url": self.url},
            "jobs": [{"id": job, "source": name} for name, truth in self.truths.items() for job in truth.ids],
            "notifiers": {NOTIFIER: webhook(self.receiver.url)},
            "log": {"level": "info"},
        }
        return settings("", self.command.database, **(usual | parts))

    def logs(self) -> Mapping[str, Sequence[Acceptance]]:
        """Return what the receiver accepted, by the name of its notifier."""
        return {NOTIFIER: self.receiver.accepted}

    def tally(self, watch: Follow) -> Tally:
        """Balance the books as they stand now."""
        return reconcile(passages_of(*self.truths.values()), read_record(self.url), self.logs(), watch)

    def is_settled(self, *names: str) -> bool:
        """Tell whether every job has come to its end, and that is recorded and delivered.

        On request only the jobs of some sources, whatever else is still owed.
        """
        truths = [self.truths[name] for name in names or self.truths]
        if not all(truth.is_over() for truth in truths) or (not names and pending(self.url)):
            return False
        recorded = statuses(self.url)
        return all(recorded.get(job) == truth.status(job) for truth in truths for job in truth.ids)

    async def until_settled(self, running: Running, within: timedelta, *names: str) -> None:
        """Wait until all is settled; give up after the time, and let the tally say what is missing.

        Fails when the watcher ends instead.
        """
        until = asyncio.get_running_loop().time() + within.total_seconds()
        while not self.is_settled(*names) and asyncio.get_running_loop().time() < until:
            assert running.is_alive, f"the watcher has ended; it wrote\n{running.err[-5000:]}"
            await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def stage(command: Command, script: Script, url: str | None = None) -> AsyncIterator[Stage]:
    """Set the stage: one API plays the script, and a receiver accepts everything."""
    async with stage_of(command, {SOURCE: script}, url) as scene:
        yield scene


@asynccontextmanager
async def stage_of(command: Command, scripts: Mapping[str, Script], url: str | None = None) -> AsyncIterator[Stage]:
    """Set the stage with an API for each script, by the names of their sources."""
    async with AsyncExitStack() as stack:
        truths = {name: await stack.enter_async_context(Truth(script)) for name, script in scripts.items()}
        receiver = await stack.enter_async_context(AcceptingReceiver(secret=WEBHOOK_SECRET))
        yield Stage(truths, receiver, command, url)
