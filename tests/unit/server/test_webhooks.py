"""Webhooks of services over HTTP: who is let in, and how often."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest

from tests.doubles import ManualClock, RecordingLog
from tests.unit.server.running_server import Site
from watcher.errors import StoreUnavailableError, WebhookError
from watcher.plugins.source import ReadWebhook, Webhook
from watcher.server.parsing import BODY_LIMIT
from watcher.server.webhooks import HOOKS_AT_ONCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

RIGHT = {"webhook-signature": "v1,right"}


class Inbox:
    """Takes the webhooks of one source; their body is the id of the job."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str | None]] = []
        self.trouble: Exception | None = None

    def reader(self, source: str) -> ReadWebhook | None:
        return self._read if source == "openai" else None

    async def take(self, source: str, webhook: Webhook) -> None:
        if self.trouble:
            raise self.trouble
        self.taken.append((source, webhook.job_id))

    def _read(self, headers: Mapping[str, str], body: bytes) -> Webhook:
        if headers.get("webhook-signature") != RIGHT["webhook-signature"]:
            raise WebhookError("The signature is not right.")
        return Webhook(headers.get("webhook-id", body.decode()), body.decode())


async def post(client: httpx.AsyncClient, body: str | bytes = "ftjob-1", source: str = "openai", **more: str) -> int:
    headers = {**RIGHT, **{f"webhook-{name}": value for name, value in more.items()}}
    answer = await client.post(f"/hooks/{source}", content=body, headers=headers)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
    else:
        assert not answer.content
    return answer.status_code


@pytest.mark.parametrize("token", ["a-token-of-the-tests", None])
async def test_a_signature_is_enough_and_the_token_of_the_api_is_not_asked_for(site: Site, token: str | None) -> None:
    inbox = Inbox()
    async with site(token=token, webhooks=lambda: inbox) as client:
        client.headers.pop("Authorization", None)
        assert await post(client) == 204
        assert await post(client, signature="v1,wrong") == 401
        assert await post(client, source="azure") == 404
        assert (await client.get("/hooks/openai")).status_code == 405
    assert inbox.taken == [("openai", "ftjob-1")]


async def test_one_that_comes_again_is_answered_and_not_taken_again(site: Site, clock: ManualClock) -> None:
    inbox = Inbox()
    async with site(webhooks=lambda: inbox) as client:
        inbox.trouble = StoreUnavailableError("the disk is full")
        assert await post(client) == 503
        inbox.trouble = None
        assert [await post(client), await post(client)] == [204, 204]
        clock.move(minutes=16)  # it would no longer pass for one that was sent lately
        assert await post(client) == 204
    assert len(inbox.taken) == 2


async def test_what_is_too_large_is_not_read_and_a_header_that_is_there_twice_not_believed(site: Site) -> None:
    inbox = Inbox()
    async with site(webhooks=lambda: inbox) as client:
        assert await post(client, b"x" * (BODY_LIMIT + 1)) == 413
        twice = [("webhook-signature", "v1,right"), ("webhook-signature", "v1,right")]
        assert (await client.post("/hooks/openai", content="a", headers=twice)).status_code == 400
        assert (await client.post("/hooks/openai?a=1", content="a", headers=RIGHT)).status_code == 422
    assert not inbox.taken


async def test_more_than_ten_a_second_are_told_to_come_later(site: Site, clock: ManualClock, log: RecordingLog) -> None:
    inbox = Inbox()
    async with site(webhooks=lambda: inbox) as client:
        answers = [await post(client, signature="v1,wrong") for _ in range(HOOKS_AT_ONCE + 1)]
        late = await client.post("/hooks/openai", content="a", headers=RIGHT)
        assert (answers[-2:], late.status_code, late.headers["retry-after"]) == ([401, 429], 429, "1")
        clock.move(seconds=1)
        assert await post(client) == 204
    assert "whsec" not in str(log.lines)


async def test_without_a_pipeline_there_is_no_such_path(site: Site) -> None:
    async with site() as client:
        assert await post(client) == 404
