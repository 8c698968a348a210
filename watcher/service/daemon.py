"""The long-running service: signals, the scheduler's ticks, reloads, and a clean end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, timedelta
from time import monotonic
from typing import TYPE_CHECKING

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from watcher.engine.ports import Runtime
from watcher.errors import ConfigurationError, StoreError
from watcher.service.bootstrap import Pipeline, ServicePlan
from watcher.service.maintenance import Maintenance
from watcher.service.systemd import ServiceManager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watcher.server.context import HealthSnapshot
    from watcher.store.sql import SqlStore

LONGEST_TICK = timedelta(seconds=1)
"""How late a due job, an added one or a due delivery may be found."""
SHORTEST_TICK = timedelta(milliseconds=5)
TICKS_PER_INTERVAL = 4
"""Ticks are a fraction of a short interval: looking exactly once per interval would miss every other poll."""
PRUNE_INTERVAL = timedelta(hours=1)
STATUS_INTERVAL = timedelta(seconds=10)
SUPERVISE_INTERVAL = timedelta(seconds=10)
HEARTBEAT_INTERVAL = timedelta(minutes=1)
REMEMBER_INTERVAL = timedelta(minutes=10)
REASSERT_INTERVAL = timedelta(hours=12)
CLOCK_CHECK_SECONDS = 1.0
SMALLEST_STEP_SECONDS = 2.0
"""How far the host's clock must have been set for that to matter; corrections of less are daily business."""
DRAIN_LIMIT = timedelta(seconds=10)
"""How long sends under way may go on after the first signal."""

Requests = asyncio.Queue[signal.Signals]
"""The signals that came, in order."""
Reread = Callable[[], ServicePlan]
"""Reads the configuration anew. Raises ConfigurationError."""


async def serve(plan: ServicePlan, reread: Reread, runtime: Runtime) -> None:
    """Watch and deliver until SIGTERM or SIGINT; a second one ends the process at once. SIGHUP reloads.

    Raises OutputClosedError, StoreError or ConfigurationError.
    """
    with owned_signals() as requests:
        async with plan.open_store() as store:
            await Daemon(store, reread, requests, runtime).run(plan)


@dataclass(slots=True)
class _Generation:
    """What runs between two reloads."""

    plan: ServicePlan
    pipeline: Pipeline
    maintenance: Maintenance
    opened: AsyncExitStack
    """Closes the sources and the notifiers."""


class Daemon:
    """Runs one generation of the pipeline after the other on the same record."""

    def __init__(self, store: SqlStore, reread: Reread, requests: Requests, runtime: Runtime) -> None:
        self._store = store
        self._reread = reread
        self._requests = requests
        self._runtime = runtime
        self._log = runtime.log
        self._manager = ServiceManager()

    async def run(self, plan: ServicePlan) -> None:
        """Serve until told to stop."""
        first = await self._open(plan)
        self._maintenance = first.maintenance
        await plan.watch_jobs(self._store)
        async with plan.open_pages(self._store, self._health):
            generation: _Generation | None = first
            while generation:
                async with generation.opened:
                    generation = await self._run(generation)
        self._log.info("stopped")

    async def _open(self, plan: ServicePlan) -> _Generation:
        stack = AsyncExitStack()
        pipeline = await stack.enter_async_context(plan.open_pipeline(self._store))
        return _Generation(plan, pipeline, Maintenance(pipeline, self._store, self._manager, self._runtime), stack)

    def _health(self) -> HealthSnapshot:
        return self._maintenance.health()

    async def _run(self, generation: _Generation) -> _Generation | None:
        """Let the pipeline run until a signal; return what shall run next."""
        pipeline, self._maintenance = generation.pipeline, generation.maintenance
        observing = asyncio.create_task(pipeline.poller.run())
        delivering = asyncio.create_task(pipeline.deliver.run())
        asking = asyncio.create_task(self._next(generation))
        await generation.maintenance.undo_clock_step()
        scheduler = self._scheduler(pipeline, generation.maintenance)
        scheduler.start()
        keeping_time = asyncio.create_task(self._keep_time(scheduler, generation.maintenance))
        try:
            # Neither loop ends by itself: one that does has met a closed output, or a fault of ours.
            await asyncio.wait([observing, delivering, asking], return_when=asyncio.FIRST_COMPLETED)
        finally:
            keeping_time.cancel()
            scheduler.pause()
            await self._drain(pipeline, observing, delivering)
            await generation.maintenance.close()
            scheduler.shutdown(wait=False)
        for result in await asyncio.gather(observing, delivering, return_exceptions=True):
            if isinstance(result, Exception):
                asking.cancel()
                raise result
        return await asking

    async def _drain(self, pipeline: Pipeline, observing: asyncio.Task[None], delivering: asyncio.Task[None]) -> None:
        observing.cancel()
        pipeline.deliver.stop()
        await asyncio.wait([observing, delivering], timeout=DRAIN_LIMIT.total_seconds())
        if not delivering.done():
            self._log.warning("messages under way are left for later", waited_seconds=DRAIN_LIMIT.seconds)
            delivering.cancel()

    async def _next(self, generation: _Generation) -> _Generation | None:
        """Wait for a signal that is carried out; return the generation that a reload brings, None for the end."""
        await generation.pipeline.poller.first_turn.wait()
        self._manager.ready(await generation.maintenance.status())
        while True:
            request = await self._requests.get()
            if request is not signal.SIGHUP:
                self._log.info("stopping", signal=request.name)
                self._manager.stopping()
                return None
            self._manager.reloading()
            if successor := await self._successor(generation):
                return successor
            self._manager.ready("the new configuration has mistakes: the one before stays in force")

    async def _successor(self, generation: _Generation) -> _Generation | None:
        """Prepare what comes after a reload, while the present pipeline still runs; None when it cannot be had."""
        if out_of_reach := generation.maintenance.store_error():
            self._log.error("configuration not reloaded while the record is out of reach", error=str(out_of_reach))
            return None
        try:
            plan = self._reread()
            successor = await self._open(plan)
        except ConfigurationError as error:
            self._log.error("configuration not reloaded, the one before stays", mistakes=list(error.mistakes))
            return None
        except Exception as error:  # noqa: BLE001 - a plugin's fault must not end the service
            self._log.exception("configuration not reloaded, the one before stays", error=type(error).__name__)
            return None
        try:
            await plan.watch_jobs(self._store, generation.plan)
        except StoreError as error:
            await successor.opened.aclose()
            self._log.error("configuration not reloaded, the one before stays", error=str(error))
            return None
        plan.adopt()
        if fixed := plan.fixed_changes(generation.plan):
            self._log.warning("some changes need a restart", settings=fixed)
        self._log.info("configuration reloaded")
        return successor

    async def _keep_time(self, scheduler: AsyncIOScheduler, maintenance: Maintenance) -> None:
        """Notice that the host's clock was set: the next ticks, and all that is due at a time of day, depend on it."""
        while True:
            wall, steady = self._runtime.clock(), monotonic()
            await asyncio.sleep(CLOCK_CHECK_SECONDS)
            now = self._runtime.clock()
            step = (now - wall).total_seconds() - (monotonic() - steady)
            if abs(step) >= SMALLEST_STEP_SECONDS:
                self._log.warning("the host's clock was set, or the host slept", by_seconds=round(step, 1))
                for tick in scheduler.get_jobs():
                    tick.modify(next_run_time=now)
                await maintenance.undo_clock_step(timedelta())

    def _scheduler(self, pipeline: Pipeline, maintenance: Maintenance) -> AsyncIOScheduler:
        """Make the scheduler. It only ticks: the record knows what is due."""
        tick = min(max(pipeline.polling_policy.interval / TICKS_PER_INTERVAL, SHORTEST_TICK), LONGEST_TICK)

        async def poll() -> None:
            pipeline.poller.wake()

        async def deliver() -> None:
            pipeline.deliver.wake()

        ticks: list[tuple[Callable[[], Awaitable[None]], timedelta]] = [
            (poll, tick),
            (deliver, LONGEST_TICK),
            (maintenance.self_monitoring, SUPERVISE_INTERVAL),
            (maintenance.report, STATUS_INTERVAL),
            (maintenance.sign_of_life, self._manager.watchdog_interval or STATUS_INTERVAL),
            (maintenance.beat, HEARTBEAT_INTERVAL),
            (maintenance.prune, PRUNE_INTERVAL),
            (maintenance.remember, REMEMBER_INTERVAL),
            (maintenance.refresh_configured_jobs, REASSERT_INTERVAL),
        ]
        scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        for job, interval in ticks:
            # Replicas must not tick in step: the one that is always first would do all the work.
            seconds, jitter = interval.total_seconds(), None
            if job is poll:
                seconds = jitter = seconds / 2
            trigger = IntervalTrigger(seconds=seconds, jitter=jitter, timezone=UTC)
            scheduler.add_job(_ending_quietly(job), trigger, next_run_time=self._runtime.clock())
        return scheduler


def _ending_quietly(job: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Let a chore be cut short by the end of the service, which APScheduler would log as a fault."""

    async def tick() -> None:
        with suppress(asyncio.CancelledError):
            await job()

    return tick


@contextmanager
def owned_signals() -> Iterator[Requests]:
    """Own the signals: they queue as requests. A second one to stop ends the process at once."""
    loop = asyncio.get_running_loop()
    requests: Requests = asyncio.Queue()
    stops: list[signal.Signals] = []

    def on_stop(number: signal.Signals) -> None:
        if stops:
            os._exit(128 + number)  # at once: what was sent and not settled is sent again, with the same id
        stops.append(number)
        requests.put_nowait(number)

    handlers = {signal.SIGTERM: on_stop, signal.SIGINT: on_stop, signal.SIGHUP: requests.put_nowait}
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler, number)
    try:
        yield requests
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)
