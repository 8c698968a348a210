"""The long-running service: one generation of the pipeline after the other, and a clean end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from watcher.engine.runtime import Runtime
from watcher.errors import ConfigurationError, StoreError
from watcher.service.bootstrap import Pipeline, ServicePlan
from watcher.service.garbage import look_at_all, short_collections
from watcher.service.maintenance import Maintenance
from watcher.service.periodic_task import PeriodicTask
from watcher.service.signals import SignalRequests, handled_signals
from watcher.service.systemd import ServiceManager

if TYPE_CHECKING:
    from watcher.domain.health import HealthSnapshot
    from watcher.service.scheduler import Scheduler
    from watcher.store.sql import SqlStore

LONGEST_TICK = timedelta(seconds=1)
"""How late a due job, an added one or a due delivery may be found."""
SHORTEST_TICK = timedelta(milliseconds=5)
TICKS_PER_INTERVAL = 4
"""Ticks are a fraction of a short interval: looking exactly once per interval would miss every other poll."""
DRAIN_LIMIT = timedelta(seconds=10)
"""How long sends in flight may go on after a stop or a reload."""

T = TypeVar("T")

ReadPlan = Callable[[], ServicePlan]
"""Reads the configuration again. Raises ConfigurationError."""


async def serve(plan: ServicePlan, read_plan: ReadPlan, runtime: Runtime) -> None:
    """Watch and deliver until SIGTERM or SIGINT; a second one ends the process at once. SIGHUP reloads.

    Raises OutputClosedError, StoreError or ConfigurationError.
    """
    with short_collections(), handled_signals() as requests:
        async with plan.open_store() as store:
            await Daemon(store, read_plan, requests, runtime).run(plan)


@dataclass(slots=True)
class _Generation:
    """What runs between two reloads."""

    plan: ServicePlan
    pipeline: Pipeline
    maintenance: Maintenance
    opened: AsyncExitStack
    """Closes the sources and the notifiers."""


class Daemon:
    """Runs one generation of the pipeline after the other on the same store."""

    def __init__(self, store: SqlStore, read_plan: ReadPlan, requests: SignalRequests, runtime: Runtime) -> None:
        self._store = store
        self._read_plan = read_plan
        self._requests = requests
        self._runtime = runtime
        self._log = runtime.log
        self._manager = ServiceManager()
        self._draining: set[asyncio.Task[None]] = set()
        """The ends of earlier generations, whose sends are still in flight."""

    async def run(self, plan: ServicePlan) -> None:
        """Serve until stopped."""
        generation = await self._open(plan)
        self._maintenance = generation.maintenance
        service = generation.pipeline.service
        try:
            await plan.watch_jobs(self._store)
            async with plan.open_server(self._store, self._health, lambda: self._maintenance.pipeline):
                while successor := await self._run(generation):
                    generation = successor
        finally:
            await self._finish_draining()
            with suppress(StoreError):  # its sign of life grows old by itself
                await self._store.forget_service(service)
        self._log.info("stopped")

    async def _open(self, plan: ServicePlan) -> _Generation:
        stack = AsyncExitStack()
        pipeline = await stack.enter_async_context(plan.open_pipeline(self._store))
        reload = self._requests.on_reload
        maintenance = Maintenance(pipeline, self._store, self._manager, self._runtime, reload=reload)
        return _Generation(plan, pipeline, maintenance, stack)

    def _health(self) -> HealthSnapshot:
        return self._maintenance.health.snapshot()

    async def _run(self, generation: _Generation) -> _Generation | None:
        """Let the pipeline run until a stop or a reload; return what shall run next."""
        pipeline, self._maintenance = generation.pipeline, generation.maintenance
        polling = asyncio.create_task(pipeline.poller.run())
        delivering = asyncio.create_task(pipeline.deliver.run())
        waiting = asyncio.create_task(self._next(generation))
        pipeline.poller.wake()
        try:
            async with _cancelled_at_end(pipeline.poller.first_turn.wait()) as first_turn:
                await asyncio.wait([first_turn, polling, delivering, waiting], return_when=asyncio.FIRST_COMPLETED)
            await generation.maintenance.undo_clock_step()
            async with self._scheduler(generation).running():
                # Neither loop ends by itself: one that does has met a closed output, or an internal error.
                await asyncio.wait([polling, delivering, waiting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            polling.cancel()
            pipeline.deliver.stop()
            await asyncio.wait([polling])
            self._drain(generation, delivering)
        for task in (polling, delivering):
            if task.done() and not task.cancelled() and (error := task.exception()):
                waiting.cancel()
                await asyncio.wait([waiting])
                raise error
        return await waiting

    def _drain(self, generation: _Generation, delivering: asyncio.Task[None]) -> None:
        """Let the sends in flight end while the next generation already runs."""
        draining = asyncio.create_task(self._end(generation, delivering))
        self._draining.add(draining)
        draining.add_done_callback(self._draining.discard)

    async def _end(self, generation: _Generation, delivering: asyncio.Task[None]) -> None:
        async with generation.opened:
            await asyncio.wait([delivering], timeout=DRAIN_LIMIT.total_seconds())
            if not delivering.done():
                self._log.warning("sends in flight are left for later", waited_seconds=DRAIN_LIMIT.seconds)
                delivering.cancel()
                await asyncio.wait([delivering])
            await generation.maintenance.close()
        look_at_all()  # what is left of it

    async def _finish_draining(self) -> None:
        for result in await asyncio.gather(*self._draining, return_exceptions=True):
            if isinstance(result, Exception):
                self._log.error("a notifier or a source was not closed", error=type(result).__name__)

    async def _next(self, generation: _Generation) -> _Generation | None:
        """Wait for a signal that is carried out; return the generation that a reload brings, None for the end."""
        await generation.pipeline.poller.first_turn.wait()
        self._manager.ready(await generation.maintenance.status())
        async with _cancelled_at_end(self._requests.stop()) as stop, _cancelled_at_end(self._reload(generation)) as new:
            await asyncio.wait([stop, new], return_when=asyncio.FIRST_COMPLETED)
            if stop.done():
                if new.done() and not new.exception():
                    await new.result().opened.aclose()
                self._log.info("stopping", signal=stop.result().name)
                self._manager.stopping()
                return None
            return await new

    async def _reload(self, generation: _Generation) -> _Generation:
        """Wait for reloads until one of them can be carried out; return what it brings."""
        while True:
            await self._requests.reload()
            self._manager.reloading()
            if successor := await self._successor(generation):
                return successor
            self._manager.ready("the new configuration has mistakes: the one before stays in force")

    async def _successor(self, generation: _Generation) -> _Generation | None:
        """Prepare what comes after a reload, while the present pipeline still runs; None when it cannot be had."""
        if out_of_reach := generation.maintenance.health.snapshot().store_error:
            self._log.error("configuration not reloaded while the store is out of reach", error=out_of_reach)
            return None
        try:
            # On a thread: to read 50,000 jobs takes seconds, in which polls and alerts go on.
            plan = await asyncio.to_thread(self._read_plan)
            successor = await self._open(plan)
        except ConfigurationError as error:
            self._log.error("configuration not reloaded, the one before stays", mistakes=list(error.mistakes))
            return None
        except Exception as error:  # noqa: BLE001 - a plugin's fault must not end the service
            self._log.exception("configuration not reloaded, the one before stays", error=type(error).__name__)
            return None
        claiming = generation.pipeline.poller.claiming
        await claiming.acquire()  # and keep it: what is new is told to the new notifiers, and nobody else
        try:
            await plan.watch_jobs(self._store, generation.plan)
        except BaseException as error:
            claiming.release()
            await successor.opened.aclose()
            if not isinstance(error, StoreError):
                raise
            self._log.error("configuration not reloaded, the one before stays", error=str(error))
            return None
        plan.adopt()
        if fixed := plan.fixed_changes(generation.plan):
            self._log.warning("some changes need a restart", settings=fixed)
        self._log.info("configuration reloaded")
        return successor

    def _scheduler(self, generation: _Generation) -> Scheduler:
        """Make the scheduler. It only ticks: the store knows what is due.

        Its library is loaded while the first polls are on their way.
        """
        from watcher.service.scheduler import Scheduler

        pipeline, maintenance = generation.pipeline, generation.maintenance
        tick = min(max(pipeline.poller.sources.shortest_interval / TICKS_PER_INTERVAL, SHORTEST_TICK), LONGEST_TICK)

        async def poll() -> None:
            pipeline.poller.wake()

        async def deliver() -> None:
            pipeline.deliver.wake()

        tasks = [PeriodicTask(poll, tick, is_random=True), PeriodicTask(deliver, LONGEST_TICK), *maintenance.tasks()]
        return Scheduler(tasks, self._runtime, maintenance.clock_stepped)


@asynccontextmanager
async def _cancelled_at_end(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """Run work as a task that is cancelled if it has not ended when the block does."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
