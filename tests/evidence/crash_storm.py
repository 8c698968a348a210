"""A crash storm: the watcher is killed at random moments while jobs change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from signal import SIGKILL

from tests.e2e.processes import Running
from tests.evidence.database import expire_claims
from tests.evidence.environment import Environment
from tests.evidence.reconcile import Coverage, TimeRange
from tests.evidence.report import Report
from watcher.simulator.server import utc_now

POLLING = {"interval": "0.25s", "max_interval": "0.5s"}
LONGEST_UNSEEN = timedelta(seconds=2)
"""What the watcher may miss: one interval, one tick of its scheduler, and the delays of a busy machine."""
SHARE_KILLED_IN_START = 0.25
"""The share of the watchers that are killed while they start."""
START_SECONDS = 0.8
"""About how long a start takes."""
SHORT_RUN_SECONDS = (0.0, 0.6)
LONG_RUN_SECONDS = (1.0, 3.0)
SHARE_LONG = 0.25
"""The share of the watchers that run for long."""
FINISH_LIMIT = timedelta(seconds=60)
"""How long the deliveries may take after the last job's end, if the receiver accepts everything."""


@dataclass
class CrashStorm:
    """Starts and kills the watcher of an environment, and keeps the times in which it was watching."""

    environment: Environment
    random: Random
    watched: list[TimeRange] = field(default_factory=list)
    """The times in which a watcher was watching."""
    kills: int = 0
    interrupted_deliveries: int = 0
    """The number of deliveries that a killed watcher had claimed."""

    async def run(self, is_finished: Callable[[int], bool]) -> None:
        """Start and kill the watcher until `is_finished`, which is called with the number of kills so far."""
        while not is_finished(self.kills):
            await self._start_and_kill()

    async def finish(self, limit: timedelta = FINISH_LIMIT) -> Report:
        """Let one more watcher run until everything is delivered, and report."""
        # The claims of the killed watchers would expire by themselves after half a minute.
        self.interrupted_deliveries += expire_claims(self.environment.url)
        async with self.environment.command.start("run") as running:
            await running.until_logged("watching")
            begun = utc_now()
            await self.environment.until_settled(running, self.environment.end - begun + limit)
            self.watched.append((begun, utc_now()))
            ended = await running.stop()
        assert ended.code == 0, ended.err[-5000:]
        return self.environment.report(Coverage(LONGEST_UNSEEN, self.watched))

    async def _start_and_kill(self) -> None:
        if self.random.random() < 0.5:
            # Half of the watchers start after the claims of the killed ones have expired, so that they send again.
            self.interrupted_deliveries += expire_claims(self.environment.url)
        is_killed_in_start = self.random.random() < SHARE_KILLED_IN_START
        async with self.environment.command.start("run") as running:
            if is_killed_in_start:
                await asyncio.sleep(self.random.uniform(0, START_SECONDS))
            else:
                await self._watch(running)
            ended = await running.stop(SIGKILL)
        assert ended.code == -SIGKILL, ended.err[-5000:]
        self.kills += 1

    async def _watch(self, running: Running) -> None:
        await running.until_logged("watching")
        begun = utc_now()
        bounds = LONG_RUN_SECONDS if self.random.random() < SHARE_LONG else SHORT_RUN_SECONDS
        await asyncio.sleep(self.random.uniform(*bounds))
        self.watched.append((begun, utc_now()))
