"""Posts the title and id of each message to a bulletin board, as plain text."""

from __future__ import annotations

from pydantic import SecretStr

from watcher.plugins import (
    Address,
    Message,
    NotifierContext,
    NotifierPlugin,
    Outcome,
    Receiver,
    Section,
    printable,
)


class Config(Section):
    """Which board, and the token that lets us write on it."""

    board: Address
    token: SecretStr


class Bulletin:
    """Pins messages to a board."""

    concurrency = 2

    def __init__(self, config: Config, context: NotifierContext) -> None:
        token = config.token.get_secret_value()
        self._headers = {"content-type": "text/plain; charset=utf-8", "authorization": f"Bearer {token}"}
        self._receiver = Receiver(context, config.board, secrets=[token])

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:  # noqa: ARG002 - posts anew
        """Make one attempt."""
        return await self._receiver.post(f"{printable(message.title)} [{message.id}]", self._headers)


plugin = NotifierPlugin(Config, Bulletin)
