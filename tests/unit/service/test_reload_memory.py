"""A reload lets go of the configuration before, and of what was known of each job, without a look for cycles."""

from __future__ import annotations

import asyncio
import gc
import signal
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import tomli_w

from tests.doubles import RecordingLog, until
from watcher.domain.jobs import Job
from watcher.engine.runtime import Runtime
from watcher.service.bootstrap import ServicePlan, utc_now
from watcher.service.daemon import Daemon
from watcher.service.signals import SignalRequests
from watcher.settings.validation import load
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import JobScript, Script, Step

IDS = [f"ftjob-{number}" for number in range(20)]
RUNNING = Script(jobs=tuple(JobScript(each, (Step("running"),)) for each in IDS))


def jobs_alive() -> int:
    """Count the jobs in memory."""
    return sum(type(each) is Job for each in gc.get_objects())


async def until_alive(is_meant: Callable[[int], bool]) -> None:
    """Wait until so many jobs are in memory. A look takes long, so polls get time to end between two of them."""
    async with asyncio.timeout(30):
        while not is_meant(jobs_alive()):
            await asyncio.sleep(0.1)


def has_reloaded(log: RecordingLog, times: int) -> bool:
    """Return whether the configuration was reloaded so often."""
    return log.events("info").count("configuration reloaded") == times


@pytest.mark.usefixtures("without_collections")
async def test_a_reload_lets_go_of_what_was_before(tmp_path: Path) -> None:
    before, log, requests = jobs_alive(), RecordingLog(), SignalRequests()
    config, plans = tmp_path / "watcher.toml", list[weakref.ref[ServicePlan]]()
    async with FineTuningApi(RUNNING) as api:
        config.write_text(
            tomli_w.dumps(
                {
                    "sources": {"openai": {"base_url": api.base_url, "api_key": "k"}},
                    "store": {"url": f"sqlite:///{tmp_path}/watcher.db"},
                    "polling": {"interval": "300ms"},
                    "jobs": [{"id": each} for each in IDS],
                }
            )
        )
        runtime = Runtime(utc_now, lambda: 0.0, log)

        def read_plan() -> ServicePlan:
            plan = ServicePlan(load(config), runtime)
            plans.append(weakref.ref(plan))
            return plan

        first = read_plan()
        async with first.open_store() as store:
            serving = asyncio.create_task(Daemon(store, read_plan, requests, runtime).run(first))
            for number in (1, 2, 3):
                await until_alive(lambda count: count >= before + len(IDS))
                requests.on_reload()
                await until(partial(has_reloaded, log, number), seconds=30)
            await until(lambda: plans[1]() is plans[2]() is None, seconds=30)
            await until_alive(lambda count: count <= before + 2 * len(IDS))  # as known, and those of polls under way
            requests.on_stop(signal.SIGTERM)
            await serving
