"""What OpenAI sends by itself: signed as Standard Webhooks has it, checked here, and read no further than needed."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from watcher.domain.jobs import is_job_id
from watcher.errors import WebhookError
from watcher.plugins.context import Clock
from watcher.plugins.section import expected
from watcher.plugins.source import Webhook

TOLERANCE = timedelta(minutes=5)
"""How old, or how far ahead of our clock, a webhook may be: OpenAI's own SDK allows as much."""
LONGEST_ID = 200
_PREFIX = "whsec_"
_SCHEME = "v1,"
_MOST_SIGNATURES = 10
"""Signatures of one webhook that are compared: there are several only while a secret is replaced."""
_OF_JOBS = ("fine_tuning.job.", "batch.")
"""What the types of those that tell of a job begin with."""


def _check_secrets(given: SecretStr) -> SecretStr:
    keys = _split(given)
    if not keys or not all(map(_is_key, keys)):
        raise expected("whsec_ and base64; several, separated by spaces or lines, while a secret is replaced")
    return given


WebhookSecret = Annotated[SecretStr, AfterValidator(_check_secrets)]
"""One secret, or several."""


class WebhookReader:
    """Checks and reads what was posted in the name of OpenAI."""

    def __init__(self, secret: SecretStr, clock: Clock) -> None:
        """`secret` is a `WebhookSecret`."""
        from standardwebhooks import Webhook as Signer  # most services read no webhooks

        self._signers = [Signer(key) for key in _split(secret)]
        self._clock = clock

    def __call__(self, headers: Mapping[str, str], body: bytes) -> Webhook:
        """See `ReadWebhook`."""
        webhook_id = headers.get("webhook-id", "")
        if not 0 < len(webhook_id) <= LONGEST_ID or not webhook_id.isascii() or not webhook_id.isprintable():
            raise WebhookError("The header webhook-id is missing, or is no id.")
        sent_at = self._sent_at(headers.get("webhook-timestamp", ""))
        self._check_signature(headers.get("webhook-signature", ""), webhook_id, sent_at, body)
        return _read(webhook_id, body)

    def _sent_at(self, text: str) -> datetime:
        if not (text.isascii() and text.isdecimal() and len(text) <= 12):  # noqa: PLR2004 - seconds, for 30,000 years
            raise WebhookError("The header webhook-timestamp is missing, or is no number of seconds.")
        now = self._clock()
        if abs(int(text) - now.timestamp()) > TOLERANCE.total_seconds():
            raise WebhookError("The webhook was sent more than five minutes ago, or a clock is wrong.")
        return datetime.fromtimestamp(int(text), UTC)

    def _check_signature(self, given: str, webhook_id: str, sent_at: datetime, body: bytes) -> None:
        signatures = [each.encode() for each in given.split()[:_MOST_SIGNATURES] if each.startswith(_SCHEME)]
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise WebhookError("The body is not UTF-8 text.") from None
        wanted = [signer.sign(webhook_id, sent_at, text).encode() for signer in self._signers]
        # In constant time: how long it takes must not tell how much of a guess was right.
        if not any(hmac.compare_digest(each, right) for each in signatures for right in wanted):
            raise WebhookError("The signature is not one that the secret of this source gives.")


def _read(webhook_id: str, body: bytes) -> Webhook:
    """Read what it is about. What is signed and tells of something else is taken, and means nothing here."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    told = document if isinstance(document, dict) else {}
    kind, data = told.get("type"), told.get("data")
    job_id = data.get("id") if isinstance(data, dict) else None
    if not isinstance(kind, str) or not isinstance(job_id, str):
        return Webhook(webhook_id)
    return Webhook(webhook_id, job_id if kind.startswith(_OF_JOBS) and is_job_id(job_id) else None)


def _split(secret: SecretStr) -> Sequence[str]:
    return secret.get_secret_value().replace(",", " ").split()


def _is_key(text: str) -> bool:
    try:
        return text.startswith(_PREFIX) and bool(base64.b64decode(text.removeprefix(_PREFIX), validate=True))
    except (binascii.Error, ValueError):
        return False
