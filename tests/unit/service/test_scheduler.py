"""Periodic tasks under the real APScheduler."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import pytest

from tests.doubles import runtime
from watcher.engine.runtime import Runtime
from watcher.service.periodic_task import PeriodicTask
from watcher.service.scheduler import Scheduler


def real_time() -> Runtime:
    """APScheduler compares its times with the host's clock."""
    return runtime(lambda: datetime.now(UTC))


async def unmoved(step: timedelta) -> None:
    """Nothing depends on the host's clock here."""


@pytest.mark.parametrize("turns", range(6))
async def test_the_end_of_the_service_is_no_fault_of_a_task(turns: int, caplog: pytest.LogCaptureFixture) -> None:
    """At whatever moment it comes: before a task was handed out, before it has begun, and while it waits."""

    async def wait_for_ever() -> None:
        await asyncio.Event().wait()

    scheduler = Scheduler([PeriodicTask(wait_for_ever, timedelta(hours=1))], real_time(), unmoved)
    with caplog.at_level(logging.WARNING):
        async with scheduler.running():
            for _ in range(turns):
                await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert caplog.records == []


async def test_what_was_just_done_is_done_again_after_its_interval_only() -> None:
    done: list[str] = []
    begun, again = asyncio.Event(), asyncio.Event()

    async def anew() -> None:
        done.append("anew")
        begun.set()

    async def done_before() -> None:
        done.append("done before")
        again.set()

    soon = timedelta(milliseconds=20)
    tasks = [PeriodicTask(done_before, soon, is_done=True), PeriodicTask(anew, timedelta(hours=1))]
    async with Scheduler(tasks, real_time(), unmoved).running():
        await begun.wait()
        assert done == ["anew"]
        await asyncio.wait_for(again.wait(), 10)
