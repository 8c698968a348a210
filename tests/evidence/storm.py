"""A crash storm: the watcher is killed at moments drawn by chance, while jobs move."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from signal import SIGKILL

from tests.e2e.processes import Running
from tests.evidence.reconcile import Follow, Stretch
from tests.evidence.record import expire_claims
from tests.evidence.stage import Stage
from tests.evidence.tally import Tally
from watcher.simulator.server import utc_now

POLLING = {"interval": "0.25s", "max_interval": "0.5s"}
BLIND = timedelta(seconds=2)
"""What the watcher may miss: an interval, the tick that finds it, and the delays of a busy machine."""
SHARE_IN_START = 0.25
"""The share of the kills that hit a watcher which is still starting."""
START_SECONDS = 0.8
"""About how long a start takes."""
SHORT_LIFE_SECONDS = (0.0, 0.6)
LONG_LIFE_SECONDS = (1.0, 3.0)
SHARE_LONG = 0.25
"""The share of the watchers that live for long."""
END = timedelta(seconds=60)
"""How long after the last job's end all may take to be delivered, unless the receiver fails at times."""


@dataclass
class Storm:
    """Kills the watcher of a stage, and remembers when it lived."""

    stage: Stage
    random: Random
    stretches: list[Stretch] = field(default_factory=list)
    """When it watched."""
    kills: int = 0
    hits: int = 0
    """How many kills hit a watcher with a delivery in hand."""

    async def rage(self, is_over: Callable[[int], bool]) -> None:
        """Start and kill until it is over, which is asked with the number of kills so far."""
        while not is_over(self.kills):
            await self._live_and_die()

    async def calm(self, patience: timedelta = END) -> Tally:
        """Let a last watcher bring everything to its end, and balance the books."""
        # In half a minute the claims of the dead would be over by themselves.
        self.hits += expire_claims(self.stage.url)
        async with self.stage.command.start("run") as running:
            await running.until_logged("watching")
            begun = utc_now()
            await self.stage.until_settled(running, self.stage.end - begun + patience)
            self.stretches.append((begun, utc_now()))
            ended = await running.stop()
        assert ended.code == 0, ended.err[-5000:]
        return self.stage.tally(Follow(BLIND, self.stretches))

    async def _live_and_die(self) -> None:
        if self.random.random() < 0.5:
            # Half of the dead are followed late, so that what they had in hand is sent again in the midst of things.
            self.hits += expire_claims(self.stage.url)
        is_early = self.random.random() < SHARE_IN_START
        async with self.stage.command.start("run") as running:
            if is_early:
                await asyncio.sleep(self.random.uniform(0, START_SECONDS))
            else:
                await self._watch(running)
            ended = await running.stop(SIGKILL)
        assert ended.code == -SIGKILL, ended.err[-5000:]
        self.kills += 1

    async def _watch(self, running: Running) -> None:
        await running.until_logged("watching")
        begun = utc_now()
        bounds = LONG_LIFE_SECONDS if self.random.random() < SHARE_LONG else SHORT_LIFE_SECONDS
        await asyncio.sleep(self.random.uniform(*bounds))
        self.stretches.append((begun, utc_now()))
