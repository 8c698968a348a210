"""Slack by an incoming webhook: each message is a new one."""

from __future__ import annotations

import json
from datetime import timedelta

from pydantic import SecretStr

from watcher.domain.deliveries import Failed, Outcome
from watcher.domain.messages import Message
from watcher.http import Answer
from watcher.notifiers.http import Receiver
from watcher.notifiers.slack.blocks import compose, in_lines
from watcher.plugins.notifier import Context

SPACING = timedelta(seconds=1)
"""Slack takes about one message a second per webhook."""
_FINAL_WORDS = frozenset(
    {
        b"invalid_payload",
        b"user_not_found",
        b"invalid_token",
        b"action_prohibited",
        b"channel_not_found",
        b"no_service",
        b"no_active_hooks",
        b"no_team",
        b"channel_is_archived",
        b"posting_to_general_channel_denied",
        b"too_many_attachments",
    }
)
"""What Slack says of a message, or an address, that it will never take: https://docs.slack.dev/messaging/."""


def _is_final(answer: Answer) -> bool:
    return answer.body.strip() in _FINAL_WORDS


class IncomingWebhook:
    """Posts one message a second at most."""

    concurrency = 1

    def __init__(self, address: SecretStr, context: Context) -> None:
        """Make the notifier. Raises ConfigurationError for an address that no request can be made for."""
        self._address = address
        self._context = context
        self._receiver = Receiver(context, address, is_final=_is_final)

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:  # noqa: ARG002 - sends anew
        """Make one attempt. When Slack asks to wait, the delivery waits, and with it all others to this notifier."""
        outcome = await self._post(message)
        if message.table and isinstance(outcome, Failed) and "invalid_blocks" in outcome.error:
            return await self._post(in_lines(message))
        return outcome

    async def _post(self, message: Message) -> Outcome:
        await self._context.pacer.turn(self._address.get_secret_value(), SPACING)
        body = json.dumps(compose(message, public_url=self._context.public_url), separators=(",", ":"))
        return await self._receiver.post(body, {"content-type": "application/json"})
