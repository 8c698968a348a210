"""Several watchers on one record: who of them polled which job when, and how they are started and ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from random import Random
from signal import SIGKILL, SIGTERM

from tests.e2e.processes import Command, Finished, Running
from tests.e2e.settings import API_KEY, jobs
from tests.evidence.record import statuses
from tests.evidence.stage import SOURCE, Stage
from watcher.domain.durations import format_duration
from watcher.simulator.script import JobScript, Step

MARK = "openai-organization"
"""The header of a poll that tells who asks."""
START_LIMIT = timedelta(seconds=60)
"""How long several watchers, started at once, may take on a busy machine."""


@dataclass(frozen=True, slots=True)
class Poll:
    """One question for a job."""

    watcher: str
    job: str
    at: datetime


class Fleet:
    """Watchers by their names, each in a home of its own, on the record of one stage."""

    def __init__(self, stage: Stage, homes: Path, bytecode: Path) -> None:
        self.stage = stage
        self.commands: dict[str, Command] = {}
        self.running: dict[str, Running] = {}
        self._homes = homes
        self._bytecode = bytecode
        self._ends = AsyncExitStack()

    @asynccontextmanager
    async def of(self, *names: str, interval: timedelta) -> AsyncIterator[None]:
        """Make the watchers; at the end, whoever still runs is killed."""
        for name in names:
            home = self._homes / name
            home.mkdir()
            self.commands[name] = Command(home, self._bytecode)
            self.commands[name].configure(self._settings(name, interval))
        async with self._ends:
            yield

    async def start(self, *names: str) -> None:
        """Start watchers at once, and wait until each of them watches."""
        for name in names:
            self.running[name] = await self._ends.enter_async_context(self.commands[name].start("run"))
        for name in names:
            await self.until_logged(name, "watching")

    async def until_logged(self, name: str, event: str) -> None:
        """Wait until a watcher has logged the event."""
        running = self.running[name]
        await running.until(lambda: f'"{event}"' in running.err, event, START_LIMIT)

    async def stop(self, name: str) -> Finished:
        """Have a watcher end as a service manager would."""
        return await self.running.pop(name).stop(SIGTERM)

    async def kill(self, *names: str) -> None:
        """Kill watchers, all at the same moment."""
        for name in names:
            self.running[name].signal(SIGKILL)
        await asyncio.gather(*(self.running.pop(name).ended() for name in names))

    def polls(self, since: datetime, until: datetime) -> list[Poll]:
        """Return the polls of that time, the first one first."""
        return [
            Poll(each.headers[MARK], each.path.rsplit("/", 1)[-1], each.at)
            for each in self.stage.truth.requests
            if since <= each.at < until
        ]

    def written(self) -> str:
        """Return everything that watchers wrote which have ended."""
        return "".join(text for command in self.commands.values() for text in command.transcripts)

    async def until_all_are_seen(self) -> None:
        """Wait until every job was seen once."""
        async with asyncio.timeout(START_LIMIT.total_seconds()):
            while None in [statuses(self.stage.url).get(job) for job in self.stage.truth.ids]:
                await asyncio.sleep(0.1)

    def _settings(self, name: str, interval: timedelta) -> Mapping[str, object]:
        # One question for each job: a page of the list would say nothing of who asked for which.
        source = {
            "base_url": self.stage.truth.base_url,
            "api_key": API_KEY,
            "organization": name,
            "strategy": "retrieve",
        }
        polling = {"interval": format_duration(interval), "cadence": "fixed"}
        return self.stage.settings(sources={SOURCE: source}, jobs=jobs(*self.stage.truth.ids), polling=polling)


def restless(random: Random, ids: Sequence[str], *lasts: tuple[float, float]) -> list[JobScript]:
    """Return jobs that go to and fro before they end: each status lasts between so many seconds and so many."""
    return [
        JobScript(
            job,
            (
                *(
                    Step(status, lasts=timedelta(seconds=random.uniform(*span)))
                    for status, span in zip(cycle(("queued", "running")), lasts, strict=False)
                ),
                Step("succeeded"),
            ),
        )
        for job in ids
    ]
