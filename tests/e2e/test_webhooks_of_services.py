"""Webhooks of OpenAI reach a running service: it asks at once, tells of the end, and goes on without them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from standardwebhooks import Webhook

from tests.e2e.processes import LIMIT, Command
from tests.e2e.settings import API_KEY, WEBHOOK_SECRET, jobs, settings, webhook
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import Receiver
from watcher.simulator.script import JobScript, Step


@pytest.fixture
async def hooks(watcher: Command) -> AsyncIterator[httpx.AsyncClient]:
    """Post to the watcher's socket file."""
    transport = httpx.AsyncHTTPTransport(uds=str(watcher.database.parent.parent / "http.sock"))
    async with httpx.AsyncClient(transport=transport, base_url="http://watcher") as client:
        yield client


async def test_a_signed_webhook_spares_the_wait_for_the_next_poll(
    watcher: Command, api: FineTuningApi, receiver: Receiver, hooks: httpx.AsyncClient
) -> None:
    api.add_job(JobScript("ftjob-1", (Step("running"),)))
    secret = watcher.database.parent.parent / "webhook-secret"
    secret.write_text(f"{WEBHOOK_SECRET}\n")
    source = {"base_url": api.base_url, "api_key": API_KEY, "webhook_secret_file": str(secret)}
    watcher.configure(
        settings(
            api.base_url,
            watcher.database,
            sources={"openai": source},
            polling={"interval": "1h"},
            jobs=jobs("ftjob-1"),
            http={"listen": f"unix:{watcher.database.parent.parent}/http.sock"},
            notifiers={"hook": webhook(receiver.url)},
        )
    )
    body, now = json.dumps({"type": "fine_tuning.job.succeeded", "data": {"id": "ftjob-1"}}), datetime.now(UTC)
    headers = {"webhook-id": "wh_1", "webhook-timestamp": str(int(now.timestamp()))}
    signature = Webhook(WEBHOOK_SECRET).sign("wh_1", now, body)
    async with watcher.start("run") as running:
        await receiver.wait_for(1, LIMIT)
        api.set_status("ftjob-1", "succeeded")
        forged = await hooks.post("/hooks/openai", content=body, headers={**headers, "webhook-signature": "v1,AAAA"})
        taken = await hooks.post("/hooks/openai", content=body, headers={**headers, "webhook-signature": signature})
        await receiver.wait_for(2, LIMIT)
        await running.stop()

    assert (forged.status_code, taken.status_code) == (401, 204)
    assert [json.loads(message.body)["data"]["status"] for message in receiver.received] == ["running", "succeeded"]
