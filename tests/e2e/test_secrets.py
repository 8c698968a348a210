"""No secret is ever shown, in any failure and at any log level.

Every other test here checks the same of the commands that it runs; this one runs them against servers that repeat
all that they were sent, and more.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY, SECRETS, SLACK_TOKEN, WEBHOOK_SECRET, jobs, settings, slack, webhook
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import Receiver
from watcher.simulator.script import Fault, FaultKind, JobScript, Step
from watcher.simulator.server import Received, Reply

JOB, REFUSED = "ftjob-secret", "ftjob-refused"
HEADER = f"Bearer {API_KEY}"
SAYS_THE_KEY = f"Incorrect API key provided: {API_KEY}, in the header 'Authorization: {HEADER}'"


def repeat(received: Received) -> Reply:
    """Refuse, and repeat all that the sender has given away, here or when they agreed on a secret."""
    if "webhook-signature" in received.headers:
        return Reply(410, body=f"{received.headers['authorization']} {WEBHOOK_SECRET}".encode())
    return Reply(500, body=received.path.encode())


@pytest.fixture
def command(watcher: Command, api: FineTuningApi, receiver: Receiver) -> Command:
    """The command, between an API and a receiver that cannot keep a secret."""
    receiver.answers = repeat
    notifiers = {"pager": webhook(receiver.url, headers={"Authorization": HEADER}), "chat": slack(receiver.url)}
    watcher.configure(settings(api.base_url, watcher.database, jobs=jobs(JOB, REFUSED), notifiers=notifiers))
    overloaded = Fault(status_code=503, error={"message": SAYS_THE_KEY}, headers={"retry-after-ms": "20"})
    page = Fault(FaultKind.MALFORMED, body=f"<html>{SAYS_THE_KEY}</html>")
    refusal = Fault(status_code=401, error={"message": SAYS_THE_KEY}, times=None)
    api.add_job(JobScript(JOB, (Step("running"),), faults=(overloaded, page)))
    api.add_job(JobScript(REFUSED, (Step("running"),), faults=(refusal,)))
    return watcher


async def test_no_secret_is_told_by_any_command_nor_by_the_database(command: Command) -> None:
    async with command.start("run") as running:
        await running.until_logged("delivery rejected", notifier="pager")
        await running.until_logged("delivery retry scheduled", notifier="chat")
        await running.until_logged("the source rejects our requests, trying once a minute")
        ended = await asyncio.gather(
            running.stop(),
            command.run("jobs", "list"),
            command.run("jobs", "history", JOB, "--json"),
            command.run("deliveries", "list", "--json"),
            command.run("config", "show"),
            command.run("notify", "test", "pager"),
            command.run("notify", "test", "chat"),
            command.run("retrieve", REFUSED),
            command.run("watch", JOB, "--notify", "pager", "--timeout", "2s", "--log-format", "console"),
        )
    assert [each.code for each in ended] == [0, 0, 0, 0, 0, 1, 1, 4, 124]
    told = "\n".join(each.out + each.err for each in ended)
    stored = b"".join(path.read_bytes() for path in command.home.rglob("watcher.db*"))
    assert told.count("***") > 10
    assert stored.count(b"***") > 1
    for secret in (*SECRETS, WEBHOOK_SECRET, SLACK_TOKEN, API_KEY[:-1]):
        assert secret not in told
        assert secret.encode() not in stored
