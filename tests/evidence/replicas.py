"""Several watchers on one database: they are started, stopped and killed, and their polls are told apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from signal import SIGKILL, SIGTERM

from tests.e2e.processes import Command, Finished, Running
from tests.e2e.settings import API_KEY, jobs
from tests.evidence.database import current_statuses
from tests.evidence.environment import SOURCE, Environment
from watcher.domain.durations import format_duration

WATCHER_HEADER = "openai-organization"
"""The request header that carries the name of the watcher."""
START_LIMIT = timedelta(seconds=60)
"""How long several watchers, started at the same time, may take on a busy machine."""


@dataclass(frozen=True, slots=True)
class Poll:
    """One retrieve of a job."""

    watcher: str
    job: str
    at: datetime


class Replicas:
    """Watchers by their names, each in its own home, on the database of one environment."""

    def __init__(self, environment: Environment, homes: Path, bytecode: Path) -> None:
        self.environment = environment
        self.commands: dict[str, Command] = {}
        self.running: dict[str, Running] = {}
        self._homes = homes
        self._bytecode = bytecode
        self._processes = AsyncExitStack()

    @asynccontextmanager
    async def configured(self, *names: str, interval: timedelta) -> AsyncIterator[None]:
        """Make homes with settings for the watchers; at the end, kill those that still run."""
        for name in names:
            home = self._homes / name
            home.mkdir()
            self.commands[name] = Command(home, self._bytecode)
            self.commands[name].configure(self._settings(name, interval))
        async with self._processes:
            yield

    async def start(self, *names: str) -> None:
        """Start watchers at the same time, and wait until each of them is watching."""
        for name in names:
            self.running[name] = await self._processes.enter_async_context(self.commands[name].start("run"))
        for name in names:
            await self.until_logged(name, "watching")

    async def until_logged(self, name: str, event: str) -> None:
        """Wait until a watcher has logged the event."""
        running = self.running[name]
        await running.until(lambda: f'"{event}"' in running.err, event, START_LIMIT)

    async def stop(self, name: str) -> Finished:
        """Stop a watcher with SIGTERM."""
        return await self.running.pop(name).stop(SIGTERM)

    async def kill(self, *names: str) -> None:
        """Kill watchers, all at the same moment."""
        for name in names:
            self.running[name].signal(SIGKILL)
        await asyncio.gather(*(self.running.pop(name).ended() for name in names))

    def polls(self, since: datetime, until: datetime) -> list[Poll]:
        """Return the polls of that time, oldest first."""
        return [
            Poll(each.headers[WATCHER_HEADER], each.path.rsplit("/", 1)[-1], each.at)
            for each in self.environment.api.requests
            if since <= each.at < until
        ]

    def output(self) -> str:
        """Return everything that the watchers that have ended wrote."""
        return "".join(text for command in self.commands.values() for text in command.transcripts)

    async def until_all_jobs_are_recorded(self) -> None:
        """Wait until every job has a recorded status."""
        async with asyncio.timeout(START_LIMIT.total_seconds()):
            while None in [current_statuses(self.environment.url).get(job) for job in self.environment.api.ids]:
                await asyncio.sleep(0.1)

    def _settings(self, name: str, interval: timedelta) -> Mapping[str, object]:
        # One request for each job: a list request would not show which watcher polled which job.
        source = {
            "base_url": self.environment.api.base_url,
            "api_key": API_KEY,
            "organization": name,
            "strategy": "retrieve",
            "progress": False,
        }
        polling = {"interval": format_duration(interval), "cadence": "fixed"}
        watched = jobs(*self.environment.api.ids)
        return self.environment.settings(sources={SOURCE: source}, jobs=watched, polling=polling)
