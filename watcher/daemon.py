"""The long-running service: signals, the scheduler's ticks, and a clean end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from watcher.errors import StoreError
from watcher.pipeline.ports import Edges
from watcher.wiring import Service

LONGEST_TICK = timedelta(seconds=1)
"""How late a due job, an added one or a due delivery may be found."""
SHORTEST_TICK = timedelta(milliseconds=50)
TICKS_PER_INTERVAL = 4
"""Ticks are a fraction of a short interval: looking exactly once per interval would miss every other poll."""
PRUNE_INTERVAL = timedelta(hours=1)
DRAIN_LIMIT = timedelta(seconds=10)
"""How long sends under way may go on after the first signal."""


async def serve(opening: AbstractAsyncContextManager[Service], edges: Edges) -> None:
    """Watch and deliver until a signal comes. A second signal ends the process at once.

    Raises OutputClosedError, StoreError or ConfigurationError.
    """
    async with opening as service:
        stop = _stop_on_signals(edges)
        scheduler = _scheduler(service, edges)
        scheduler.start()
        try:
            await _run(service, stop, edges)
        finally:
            scheduler.shutdown(wait=False)
        edges.log.info("stopped")


async def _run(service: Service, stop: asyncio.Event, edges: Edges) -> None:
    observing = asyncio.create_task(service.observe.run())
    delivering = asyncio.create_task(service.deliver.run())
    stopping = asyncio.create_task(stop.wait())
    try:
        # Neither loop ends by itself: one that does has met a closed output, or a fault of ours.
        await asyncio.wait([observing, delivering, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        observing.cancel()
        service.deliver.stop()
        await asyncio.wait([observing, delivering], timeout=DRAIN_LIMIT.total_seconds())
        if not delivering.done():
            edges.log.warning("messages under way are left to the next start", waited_seconds=DRAIN_LIMIT.seconds)
            delivering.cancel()
    for result in await asyncio.gather(observing, delivering, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


def _scheduler(service: Service, edges: Edges) -> AsyncIOScheduler:
    """Make the scheduler. It only ticks: the record knows what is due."""
    tick = min(max(service.interval / TICKS_PER_INTERVAL, SHORTEST_TICK), LONGEST_TICK)

    async def poll() -> None:
        service.observe.wake()

    async def deliver() -> None:
        service.deliver.wake()

    async def prune() -> None:
        service.observe.forget_stale()
        with suppress(StoreError):  # the next hour will do
            await service.store.prune(edges.clock() - service.retention)

    scheduler = AsyncIOScheduler(
        timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    ticks: list[tuple[Callable[[], Awaitable[None]], timedelta]] = [
        (poll, tick),
        (deliver, LONGEST_TICK),
        (prune, PRUNE_INTERVAL),
    ]
    for job, interval in ticks:
        scheduler.add_job(job, IntervalTrigger(seconds=interval.total_seconds()), next_run_time=edges.clock())
    return scheduler


def _stop_on_signals(edges: Edges) -> asyncio.Event:
    stop = asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            os._exit(128 + number)  # at once: what was sent and not yet settled is sent again, with the same id
        edges.log.info("stopping", signal=number.name)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    return stop
