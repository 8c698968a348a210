"""The webhook notifier: an event like those of OpenAI's own webhooks, signed as Standard Webhooks has it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from standardwebhooks import Webhook as Signer

from watcher.domain.deliveries import Outcome
from watcher.domain.messages import Message, encode
from watcher.notifiers.http import Address, Receiver
from watcher.plugins.notifier import Context, Plugin
from watcher.plugins.section import Section
from watcher.plugins.values import Headers

SECRET_RULE = "must be whsec_ and base64 of 24 to 64 bytes; several, separated by spaces, while a secret is replaced"  # noqa: S105 - a rule, no secret
_PREFIX = "whsec_"
_SHORTEST_KEY = 24
_LONGEST_KEY = 64


def _check_secret(given: SecretStr) -> SecretStr:
    keys = _split(given)
    if not keys or not all(map(_is_key, keys)):
        raise ValueError(SECRET_RULE)
    return given


def _check_headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name in headers:
        if name.lower().startswith("webhook-"):
            raise ValueError(f"{name} is set by the watcher and cannot be given")
    return headers


class Config(Section):
    """Where to post, and how to sign."""

    url: Address
    """Where to post. It is treated as a secret."""
    secret: Annotated[SecretStr, AfterValidator(_check_secret)] | None = None
    """Signs each message: `whsec_…`, or several while receivers move to a new one. Without it nothing is signed."""
    headers: Annotated[Headers, AfterValidator(_check_headers)] = Field(default_factory=dict)
    """More headers to send, such as Authorization. A name that ends in `_file` gives the path of a file that holds the
    value."""


class Webhook:
    """Posts the event envelope. The same message has the same `webhook-id` at each attempt."""

    concurrency = 16

    def __init__(self, config: Config, context: Context) -> None:
        """Make the notifier. Raises ConfigurationError for an address that no request can be made for."""
        keys = _split(config.secret) if config.secret else []
        self._signers = [Signer(key) for key in keys]
        self._headers = {name: value.get_secret_value() for name, value in config.headers.items()}
        self._clock = context.clock
        self._receiver = Receiver(context, config.url, secrets=(*keys, *self._headers.values()))

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:  # noqa: ARG002 - sends anew
        """Make one attempt. Any 2xx is acceptance."""
        body = encode(message)
        return await self._receiver.post(body, {**self._headers, **self._proof(message.id, body)})

    def _proof(self, message_id: str, body: str) -> Mapping[str, str]:
        # A new timestamp, and so a new signature, at each attempt: receivers refuse old ones.
        now = self._clock().astimezone(UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
        }
        if self._signers:
            headers["webhook-signature"] = " ".join(signer.sign(message_id, now, body) for signer in self._signers)
        return headers


plugin = Plugin(Config, Webhook, takes_groups=False, takes_words=False)


def _split(secret: SecretStr) -> list[str]:
    return secret.get_secret_value().replace(",", " ").split()


def _is_key(text: str) -> bool:
    # The prefix is insisted on: without it, libraries disagree on what the key is.
    if not text.startswith(_PREFIX):
        return False
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return _SHORTEST_KEY <= len(key) <= _LONGEST_KEY
