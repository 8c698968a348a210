"""Periodic tasks, and steps of the host's clock. Nothing else in the program knows APScheduler."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from watcher.engine.runtime import Runtime
from watcher.service.periodic_task import PeriodicTask

CLOCK_CHECK_SECONDS = 1.0
SMALLEST_STEP = timedelta(seconds=2)
"""How far the host's clock must have been set for that to matter; corrections of less are daily business."""


class _Every(BaseTrigger):  # type: ignore[misc] # APScheduler ships no types
    """Fires once per interval, however much time has passed: APScheduler's own trigger counts each missed tick."""

    def __init__(self, task: PeriodicTask) -> None:
        self._seconds = task.interval.total_seconds()
        self._is_random = task.is_random

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the time of the next tick, which is never in the past."""
        if previous_fire_time is None:
            return now
        seconds = self._seconds * random.uniform(0.5, 1) if self._is_random else self._seconds  # noqa: S311 - no secret
        planned: datetime = previous_fire_time + timedelta(seconds=seconds)
        return planned if planned > now else now + timedelta(seconds=seconds)


class Scheduler:
    """Runs periodic tasks, and detects steps of the host's clock."""

    def __init__(
        self, tasks: Sequence[PeriodicTask], runtime: Runtime, on_clock_step: Callable[[timedelta], Awaitable[None]]
    ) -> None:
        """`on_clock_step` is called with how far the clock was set; negative: back."""
        self._tasks = tasks
        self._runtime = runtime
        self._on_clock_step = on_clock_step
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the tasks; leaving it ends those under way."""
        now = self._runtime.clock()
        for task in self._tasks:
            first = now + task.interval if task.is_done else now
            self._scheduler.add_job(_ending_quietly(task.run), _Every(task), next_run_time=first)
        self._scheduler.start()
        keeping_time = asyncio.create_task(self._keep_time())
        try:
            yield
        finally:
            keeping_time.cancel()
            self._scheduler.pause()
            # A tick that was started a moment ago begins, so that it is cancelled where that is logged quietly.
            await asyncio.sleep(0)
            self._scheduler.shutdown(wait=False)
            await asyncio.gather(keeping_time, return_exceptions=True)

    async def _keep_time(self) -> None:
        """Notice that the host's clock was set, by comparing it with the steady clock."""
        while True:
            wall, steady = self._runtime.clock(), self._runtime.steady()
            await asyncio.sleep(CLOCK_CHECK_SECONDS)
            now = self._runtime.clock()
            step = (now - wall) - timedelta(seconds=self._runtime.steady() - steady)
            if abs(step) >= SMALLEST_STEP:
                await self._step(step, now)

    async def _step(self, step: timedelta, now: datetime) -> None:
        self._runtime.log.warning(
            "the host's clock was set, or the host slept", by_seconds=round(step.total_seconds(), 1)
        )
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=now)
        try:
            await self._on_clock_step(step)
        except Exception as error:
            self._runtime.log.exception("a clock step was not handled: internal error", error=type(error).__name__)


def _ending_quietly(run: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Let a task be cut short by the end of the service, which APScheduler would log as a fault."""

    async def tick() -> None:
        with suppress(asyncio.CancelledError):
            await run()

    return tick
