"""Posts the title and id of each message to a bulletin board, as plain text."""

from __future__ import annotations

from pydantic import SecretStr

from watcher.domain.deliveries import Outcome
from watcher.domain.messages import Message
from watcher.domain.text import printable
from watcher.notifiers.http import Address, Receiver
from watcher.plugins.notifier import Context, Plugin
from watcher.plugins.section import Section


class Config(Section):
    """Which board, and the token that lets us write on it."""

    board: Address
    token: SecretStr


class Bulletin:
    """Pins messages to a board."""

    concurrency = 2

    def __init__(self, config: Config, context: Context) -> None:
        token = config.token.get_secret_value()
        self._headers = {"content-type": "text/plain; charset=utf-8", "authorization": f"Bearer {token}"}
        self._receiver = Receiver(context, config.board, secrets=[token])

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:  # noqa: ARG002 - posts anew
        """Make one attempt."""
        return await self._receiver.post(f"{printable(message.title)} [{message.id}]", self._headers)


plugin = Plugin(Config, Bulletin)
