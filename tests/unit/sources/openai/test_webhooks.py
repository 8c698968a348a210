"""Webhooks of OpenAI: only what its secret has signed lately is read, and nothing of it but which job it tells of."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from pydantic import SecretStr, ValidationError
from standardwebhooks import Webhook as Signer

from tests.doubles import START, ManualClock, RecordingLog
from watcher.errors import WebhookError
from watcher.plugins import registry
from watcher.plugins.source import SourceContext, TakesWebhooks, Webhook
from watcher.sources.openai.webhooks import WebhookReader

NEW, OLD = "whsec_bmV3LXNlY3JldC1vZi10aGUtd2ViaG9va3Mh", "whsec_b2xkLXNlY3JldC1vZi10aGUtd2ViaG9va3Mh"
EVENT = {"object": "event", "id": "evt_1", "type": "fine_tuning.job.succeeded", "data": {"id": "ftjob-1"}}
BODY = json.dumps(EVENT)


def headers(body: str = BODY, secret: str = NEW, age: timedelta = timedelta(), **changes: str) -> dict[str, str]:
    sent_at = START - age
    return {
        "webhook-id": "wh_1",
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": Signer(secret).sign("wh_1", sent_at, body),
    } | {f"webhook-{name}": value for name, value in changes.items()}


def read(given: dict[str, str], body: str | bytes = BODY, secret: str = f"{NEW}\n{OLD}") -> Webhook:
    return WebhookReader(SecretStr(secret), ManualClock())(given, body if isinstance(body, bytes) else body.encode())


@pytest.mark.parametrize("secret", [NEW, OLD])
def test_what_any_of_the_secrets_has_signed_is_read(secret: str) -> None:
    assert read(headers(secret=secret)) == Webhook("wh_1", "ftjob-1")


def test_one_signature_of_several_is_enough() -> None:
    right = headers()["webhook-signature"]
    assert read(headers(signature=f"v1a,xyz v1,AAAA {right}")).job_id == "ftjob-1"


@pytest.mark.parametrize(
    "given",
    [
        {},
        headers(id="wh_2"),
        headers(id=""),
        headers(timestamp=str(int(START.timestamp()) + 1)),
        headers(timestamp="soon"),
        headers(timestamp="9" * 12),
        headers(age=timedelta(minutes=5, seconds=1)),
        headers(age=-timedelta(minutes=5, seconds=1)),
        headers(signature=""),
        headers(signature="v1,"),
        headers(signature="v1,ä€"),
        headers(signature=headers()["webhook-signature"].replace("v1,", "v2,")),
        headers(signature=" ".join([*["v1,AAAA"] * 10, headers()["webhook-signature"]])),
        headers(secret="whsec_c29tZWJvZHktZWxzZXMtc2VjcmV0"),
        headers(body=BODY.replace("ftjob-1", "ftjob-2")),
    ],
)
def test_anything_else_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(WebhookError) as refused:
        read(given)
    assert "whsec" not in str(refused.value)


def test_a_body_that_is_no_text_is_refused() -> None:
    with pytest.raises(WebhookError, match="UTF-8"):
        read(headers(), b"\xff")


@pytest.mark.parametrize(
    ("body", "job_id"),
    [
        (json.dumps({"type": "batch.expired", "data": {"id": "batch_1"}}), "batch_1"),
        (json.dumps({"type": "response.completed", "data": {"id": "resp_1"}}), None),
        (json.dumps({"type": "fine_tuning.job.failed", "data": {"id": "a/../b c"}}), None),
        (json.dumps({"type": "fine_tuning.job.failed", "data": {"id": 7}}), None),
        (json.dumps({"type": 7, "data": []}), None),
        ("[]", None),
        ("no JSON", None),
        ("[" * 50_000, None),
    ],
)
def test_what_is_signed_is_taken_also_where_it_means_nothing_here(body: str, job_id: str | None) -> None:
    assert read(headers(body), body) == Webhook("wh_1", job_id)


@pytest.mark.parametrize("secret", ["", "sk-123", "whsec_", "whsec_not base64", f"{NEW} sk-123"])
def test_what_cannot_be_a_secret_is_a_mistake_that_does_not_show_it(secret: str) -> None:
    with pytest.raises(ValidationError) as refused:
        registry.sources.plugin("openai").config.model_validate({"webhook_secret": secret})
    assert "expected whsec_" in str(refused.value)
    assert "sk-123" not in str(refused.value)


@pytest.mark.parametrize("secret", [NEW, None])
def test_a_source_reads_webhooks_where_it_has_a_secret(secret: str | None) -> None:
    plugin = registry.sources.plugin("openai")
    settings = {"api_key": "sk-1", "webhook_secret": secret}
    source = plugin.build(
        plugin.config.model_validate(settings), SourceContext("openai", ManualClock(), RecordingLog())
    )
    assert isinstance(source, TakesWebhooks)
    assert (source.read_webhook is not None) == (secret is not None)
