"""A record that fails while the service runs: polling goes on, and what was seen is recorded and delivered later."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing

from tests.e2e.processes import LIMIT, Command
from tests.e2e.settings import jobs, settings, statuses, webhook
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import Receiver
from watcher.simulator.script import JobScript, Step

JOB = "ftjob-failing"
TMPFS_BYTES = 512 * 1024


async def asked_more(api: FineTuningApi, times: int) -> None:
    """Wait until the API was asked so many times more."""
    wanted = len(api.requests) + times
    async with asyncio.timeout(LIMIT.total_seconds()):
        while len(api.requests) < wanted:
            await asyncio.sleep(0.01)


def told(receiver: Receiver) -> list[str]:
    return statuses(json.loads(message.body) for message in receiver.received)


async def test_a_database_locked_by_another_process_delays_the_record_and_nothing_else(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    """The service waits five seconds for a lock before it says so; the test holds it for a little longer."""
    watcher.configure(
        settings(api.base_url, watcher.database, jobs=jobs(JOB), notifiers={"pager": webhook(receiver.url)})
    )
    api.add_job(JobScript(JOB, (Step("running"),)))
    async with watcher.start("run") as running:
        await running.until_logged("delivery accepted", status="running")
        with closing(sqlite3.connect(watcher.database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            await running.until_logged("record not readable, polling on from memory")
            api.set_status(JOB, "succeeded")
            await asked_more(api, 3)
            assert told(receiver) == ["running"]
            other.execute("ROLLBACK")
        await running.until_logged("delivery accepted", status="succeeded")
        ended = await running.stop()
    assert ended.code == 0
    assert told(receiver) == ["running", "succeeded"]
    assert any("is locked by another process and stayed so for 5 s" in entry.get("error", "") for entry in ended.log)
