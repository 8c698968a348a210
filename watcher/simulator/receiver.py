"""A webhook receiver on loopback: keeps what it gets, checks signatures, and answers as it is told to."""

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
"""The answer unless told otherwise; it is what Slack says, too."""
TOLERANCE = timedelta(minutes=5)
"""How old or young a signature may be, as the official libraries have it."""

Answers = Sequence[Reply] | Callable[[Received], Reply]
"""Answers to give in turn, the last one for ever; or a function that answers each request."""


class Receiver:
    """Takes webhooks at `url` while it is entered."""

    def __init__(
        self, *, secret: str | None = None, answers: Answers = (ACCEPTED,), clock: Clock = utc_now, port: int = 0
    ) -> None:
        self.answers = answers
        """May be changed at any time; answers in turn begin anew then."""
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
        """Stop, whatever is still going on."""
        await self._server.__aexit__(*exc_info)

    async def wait_for(self, count: int, timeout: timedelta = timedelta(seconds=5)) -> Sequence[Received]:
        """Wait, in real time, until so many requests have arrived; return all of them. Raises TimeoutError."""
        try:
            async with asyncio.timeout(timeout.total_seconds()), self._arrived:
                await self._arrived.wait_for(lambda: len(self.received) >= count)
        except TimeoutError:
            raise TimeoutError(f"{len(self.received)} of {count} requests arrived") from None
        return self.received
