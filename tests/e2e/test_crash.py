"""`kill -9` between send and settle: the receiver hears twice of what happened once, and can tell."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from signal import SIGKILL

from tests.e2e.processes import LIMIT, Command
from tests.e2e.settings import jobs, settings, statuses, webhook
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import ACCEPTED, Receiver
from watcher.simulator.script import JobScript, Step
from watcher.simulator.server import Manner, Reply

JOB = "ftjob-crash"


def expire_claims(watcher: Command) -> int:
    """Let the claims of deliveries be over, as they would be half a minute after the crash; return how many."""
    with closing(sqlite3.connect(watcher.database)) as connection, connection:
        return connection.execute(
            "UPDATE delivery SET claimed_until = '2026-01-01 00:00:00.000000+00:00' WHERE claimed_until IS NOT NULL"
        ).rowcount


async def test_what_was_sent_and_not_settled_is_sent_again_with_the_same_id(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    """The claim of the dead process would hold for 30 s: the test moves its end, in the database itself."""
    watcher.configure(
        settings(api.base_url, watcher.database, jobs=jobs(JOB), notifiers={"pager": webhook(receiver.url)})
    )
    api.add_job(JobScript(JOB, (Step("succeeded"),)))
    receiver.answers = [Reply(manner=Manner.HANG)]
    async with watcher.start("run") as running:
        await receiver.wait_for(1, LIMIT)
        ended = await running.stop(SIGKILL)
    assert ended.code == -SIGKILL

    receiver.answers = [ACCEPTED]
    async with watcher.start("run") as running:
        await running.until_logged("watching", jobs=1)
        held = json.loads((await watcher.run("deliveries", "list", "--json")).out)
        assert [(each["state"], each["attempts"]) for each in held] == [("pending", 0)]
        assert len(receiver.received) == 1
        assert expire_claims(watcher) == 1
        accepted = await running.until_logged("delivery accepted")
        assert (await running.stop()).code == 0

    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == accepted["event_id"]
    assert first.body == second.body
    assert second.verified
    history = json.loads((await watcher.run("jobs", "history", JOB, "--json")).out)
    assert [(each["status"], each["event_id"]) for each in history] == [("succeeded", accepted["event_id"])]
    assert (await watcher.run("deliveries", "list")).out == "no deliveries are pending or dead\n"


async def test_a_process_killed_while_it_polls_costs_one_interval_and_nothing_else(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    watcher.configure(
        settings(api.base_url, watcher.database, jobs=jobs(JOB), notifiers={"pager": webhook(receiver.url)})
    )
    api.add_job(JobScript(JOB, (Step("queued"),)))
    async with watcher.start("run") as running:
        await running.until_logged("delivery accepted", status="queued")
        await running.until_logged("poll answered, nothing new")
        assert (await running.stop(SIGKILL)).code == -SIGKILL
    api.set_status(JOB, "succeeded")
    async with watcher.start("run") as running:
        await running.until_logged("delivery accepted", status="succeeded")
    told = [json.loads(message.body) for message in receiver.received]
    assert statuses(told) == ["queued", "succeeded"]
    assert told[1]["data"]["previous_status"] == "queued"
