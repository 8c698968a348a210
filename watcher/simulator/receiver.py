"""A webhook receiver on loopback: keeps requests, checks signatures, and gives scripted answers."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Self

from standardwebhooks import Webhook

from watcher.simulator.server import Clock, LoopbackServer, Received, Reply, utc_now

PATH = "/hooks/finetune"
ACCEPTED = Reply(200, {"content-type": "text/plain"}, b"ok")
"""The default answer, which is also that of Slack."""
TOLERANCE = timedelta(minutes=5)
"""How old or young a signature may be, as the official libraries have it."""

Answers = list[Reply] | Callable[[Received], Reply]
"""Answers to give in turn, taken from the front until one is left, which stays; or what answers each request."""


class Receiver:
    """Takes webhooks at `url` while it is entered."""

    def __init__(
        self, *, secret: str | None = None, answers: Answers | None = None, clock: Clock = utc_now, port: int = 0
    ) -> None:
        self.answers: Answers = [ACCEPTED] if answers is None else answers
        """What it answers; may be changed at any time."""
        self.received: list[Received] = []
        """What arrived, the oldest first; `verified` tells whether the signature holds, if there is a secret."""
        self._webhook = Webhook(secret) if secret else None
        self._clock = clock
        self._arrived = asyncio.Condition()
        self._server = LoopbackServer(self._answer, clock=clock, port=port)

    @property
    def url(self) -> str:
        """Where to send webhooks. Any other path of the server does as well."""
        return self._server.address + PATH

    async def __aenter__(self) -> Self:
        """Start to listen. Raises ConfigurationError when the port cannot be had."""
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop, and drop requests that are still open."""
        await self._server.__aexit__(*exc_info)

    async def wait_for(self, count: int, within: timedelta = timedelta(seconds=5)) -> Sequence[Received]:
        """Wait, in real time, until so many requests have arrived; return all of them. Raises TimeoutError."""
        try:
            async with asyncio.timeout(within.total_seconds()), self._arrived:
                await self._arrived.wait_for(lambda: len(self.received) >= count)
        except TimeoutError:
            raise TimeoutError(f"{len(self.received)} of {count} requests arrived") from None
        return self.received

    async def _answer(self, received: Received) -> Reply:
        if self._webhook is not None:
            received = replace(received, verified=_is_signed(received, self._webhook))
        self.received.append(received)
        async with self._arrived:
            self._arrived.notify_all()
        if callable(self.answers):
            return self.answers(received)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def _is_signed(received: Received, webhook: Webhook) -> bool:
    """Return whether one of the signatures holds, and is of about the time of arrival by the receiver's clock."""
    # `Webhook.verify` would compare with the real time, which is another one where a test moves the clock.
    headers = received.headers
    try:
        timestamp = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
        expected = webhook.sign(headers["webhook-id"], timestamp, received.body.decode())
    except (KeyError, ValueError, OverflowError):
        return False
    given = headers.get("webhook-signature", "").split()
    return abs(received.at - timestamp) <= TOLERANCE and any(
        hmac.compare_digest(signature.encode(), expected.encode()) for signature in given
    )
