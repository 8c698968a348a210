"""The webhook notifier: what it sends, and what its settings must be."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time
from openai import InvalidWebhookSignatureError, OpenAI
from openai.types.webhooks import (
    FineTuningJobCancelledWebhookEvent,
    FineTuningJobFailedWebhookEvent,
    FineTuningJobSucceededWebhookEvent,
)
from pydantic import ValidationError
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from tests.doubles import START, ManualClock, a_transition
from tests.loopback import LoopbackReceiver, Received
from watcher.domain.deliveries import Delivered
from watcher.domain.jobs import JobError, JobFacts
from watcher.domain.messages import encode, message_of
from watcher.notifiers.webhook import Config, Webhook
from watcher.plugins.notifier import Context


def a_key(length: int = 32, fill: bytes = b"k") -> str:
    return "whsec_" + base64.b64encode(fill * length).decode()


OLD, NEW = a_key(fill=b"o"), a_key(fill=b"n")
MESSAGE = message_of(a_transition())
FineTuningEvent = (
    FineTuningJobSucceededWebhookEvent | FineTuningJobFailedWebhookEvent | FineTuningJobCancelledWebhookEvent
)


async def sent(receiver: LoopbackReceiver, context: Context, **settings: Any) -> Received:
    notifier = Webhook(Config(url=f"{receiver.url}/hook?a=b", **settings), context)
    assert await notifier.send(MESSAGE) == Delivered("200 OK: ok")
    return receiver.requests[-1]


async def test_the_body_is_the_envelope_as_json(receiver: LoopbackReceiver, context: Context) -> None:
    request = await sent(receiver, context)
    assert request.body.decode() == encode(MESSAGE)
    assert request.headers["content-type"] == "application/json"
    assert request.target == "/hook?a=b"


@pytest.mark.parametrize("secret", [OLD, f"{OLD} {NEW}", f"{NEW},{OLD}", f" {NEW} , {OLD} "])
async def test_whoever_knows_one_of_the_secrets_can_verify(
    secret: str, receiver: LoopbackReceiver, context: Context
) -> None:
    request = await sent(receiver, context, secret=secret)
    assert request.headers["webhook-id"] == MESSAGE.id
    with freeze_time(START + timedelta(seconds=299)):
        assert Verifier(OLD).verify(request.body, dict(request.headers)) == json.loads(encode(MESSAGE))
        with pytest.raises(WebhookVerificationError):
            Verifier(a_key(fill=b"x")).verify(request.body, dict(request.headers))
        with pytest.raises(WebhookVerificationError):
            Verifier(OLD).verify(request.body + b" ", dict(request.headers))


async def test_each_secret_signs_once(receiver: LoopbackReceiver, context: Context) -> None:
    request = await sent(receiver, context, secret=f"{OLD} {NEW}")
    signatures = request.headers["webhook-signature"].split(" ")
    assert len(set(signatures)) == 2
    assert all(signature.startswith("v1,") for signature in signatures)


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
async def test_a_receiver_written_for_openai_s_own_webhooks_understands(
    status: str, receiver: LoopbackReceiver, context: Context
) -> None:
    transition = a_transition(status=status, facts=JobFacts(error=JobError("code", "message", "param")))
    await Webhook(Config(url=receiver.url, secret=OLD), context).send(message_of(transition))
    request = receiver.requests[-1]
    client = OpenAI(api_key="x", webhook_secret=OLD)
    with freeze_time(START):
        event = client.webhooks.unwrap(request.body, dict(request.headers))
        with pytest.raises(InvalidWebhookSignatureError):
            client.webhooks.unwrap(request.body, dict(request.headers), secret=NEW)
    assert isinstance(event, FineTuningEvent)
    assert type(event).__name__ == f"FineTuningJob{status.capitalize()}WebhookEvent"
    assert event.type == f"fine_tuning.job.{status}"
    assert event.id == request.headers["webhook-id"]
    assert event.data.id == "ftjob-abc123"
    assert event.data.model_extra is not None
    assert event.data.model_extra["previous_status"] == "running"


async def test_another_attempt_has_a_new_timestamp_and_signature_and_the_same_id(
    receiver: LoopbackReceiver, context: Context, clock: ManualClock
) -> None:
    first = await sent(receiver, context, secret=OLD)
    clock.move(hours=5)
    second = await sent(receiver, context, secret=OLD)
    assert first.headers["webhook-timestamp"] == str(int(START.timestamp()))
    assert second.headers["webhook-timestamp"] == str(int(START.timestamp()) + 5 * 3600)
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == MESSAGE.id
    with freeze_time(clock()):
        Verifier(OLD).verify(second.body, dict(second.headers))


async def test_without_a_secret_nothing_is_signed(receiver: LoopbackReceiver, context: Context) -> None:
    request = await sent(receiver, context)
    assert request.headers["webhook-id"] == MESSAGE.id
    assert "webhook-timestamp" in request.headers
    assert "webhook-signature" not in request.headers


async def test_more_headers_are_sent(receiver: LoopbackReceiver, context: Context) -> None:
    request = await sent(
        receiver, context, headers={"Authorization": "Bearer abc", "X-Team": "nlp & co", "User-Agent": "x"}
    )
    assert request.headers["authorization"] == "Bearer abc"
    assert request.headers["x-team"] == "nlp & co"
    assert request.headers["user-agent"] == "x"


async def test_the_url_and_the_secret_may_stand_in_files(
    receiver: LoopbackReceiver, context: Context, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text(f"{receiver.url}/from-file\n")
    (tmp_path / "secret").write_text(f"{OLD}\n{NEW}\n")
    config = Config.model_validate({"url_file": tmp_path / "url", "secret_file": str(tmp_path / "secret")})
    await Webhook(config, context).send(MESSAGE)
    assert receiver.requests[0].target == "/from-file"
    assert len(receiver.requests[0].headers["webhook-signature"].split(" ")) == 2


@pytest.mark.parametrize("length", [24, 25, 26, 64])
def test_keys_of_24_to_64_bytes_are_accepted(length: int) -> None:
    assert Config(url="https://h/", secret=a_key(length)).secret


@pytest.mark.parametrize(
    "secret",
    [
        a_key(23),
        a_key(65),
        "whsec_",
        "whsec_" + "?" * 40,
        a_key()[:-1],
        a_key().removeprefix("whsec_"),
        "",
        " , ",
        f"{OLD} x",
    ],
)
def test_other_secrets_are_refused(secret: str) -> None:
    with pytest.raises(ValidationError, match="must be whsec_ and base64 of 24 to 64 bytes"):
        Config(url="https://h/", secret=secret)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h.example/hook",
        "ftp://h/",
        "https://",
        "https:///path",
        "http://h:99999/",
        "http://h:0/",
        "https://h/a b",
        "https://h/\n",
        "https://hö.de/",
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="must be an address"):
        Config(url=url)


@pytest.mark.parametrize(
    ("headers", "mistake"),
    [
        ({"Webhook-Id": "x"}, "Webhook-Id is set by the watcher"),
        ({"webhook-anything": "x"}, "is set by the watcher"),
        ({"Content-Type": "x"}, "is set by the watcher"),
        ({"Host": "x"}, "is set by the watcher"),
        ({"Content-Length": "1"}, "is set by the watcher"),
        ({"X Y": "x"}, "cannot be the name of a header"),
        ({"": "x"}, "cannot be the name of a header"),
        ({"X": "a\r\nY: b"}, "one line of printable ASCII"),
        ({"X": " a"}, "one line of printable ASCII"),
        ({"X": "ä"}, "one line of printable ASCII"),
        ({"X": ""}, "one line of printable ASCII"),
        ({"X-A": "1", "x-a": "2"}, "given twice"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused(headers: dict[str, str], mistake: str) -> None:
    with pytest.raises(ValidationError, match=mistake):
        Config(url="https://h/", headers=headers)


def test_a_table_of_headers_has_no_file_twin() -> None:
    properties = Config.model_json_schema()["properties"]
    assert set(properties) == {"url", "url_file", "secret", "secret_file", "headers"}
