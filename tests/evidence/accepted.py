"""A receiver that keeps a log of what it accepted: the only thing that counts as delivered."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.simulator.receiver import Answers, Receiver
from watcher.simulator.server import Clock, Manner, Received, Reply, utc_now

OWN_SOURCE = "@watcher"
"""Where the watcher's own conditions are said to live."""
_SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A message that a receiver took, and said so."""

    id: str
    job: str
    status: str
    previous_status: str | None
    at: datetime


class AcceptingReceiver(Receiver):
    """A webhook receiver that logs what it answered with a whole 2xx; whatever else it did with a message refused it.

    Whether the sender still lived to read the answer makes no difference to it, nor to any other receiver.
    """

    def __init__(
        self, *, secret: str | None = None, answers: Answers | None = None, clock: Clock = utc_now, port: int = 0
    ) -> None:
        super().__init__(secret=secret, answers=answers, clock=clock, port=port)
        self.accepted: list[Acceptance] = []
        """What it took of jobs, the oldest first."""
        self.conditions: list[str] = []
        """The types of what it took that the watcher says of itself (`watcher.source.failing`), the oldest first."""
        self.refused = 0
        """How many messages it did not take."""
        self.pause = timedelta()
        """How long it thinks, in real time, before it answers what it has already accepted or refused."""

    async def _answer(self, received: Received) -> Reply:
        reply = await super()._answer(received)
        if reply.status_code in _SUCCESS and reply.manner is Manner.WHOLE:
            self._accept(received)
        else:
            self.refused += 1
        if self.pause:
            await asyncio.sleep(self.pause.total_seconds())
        return reply

    def _accept(self, received: Received) -> None:
        envelope = json.loads(received.body)
        data = envelope["data"]
        if str(envelope["type"]).startswith("watcher."):
            self.conditions.append(envelope["type"])
            return
        assert received.headers["webhook-id"] == envelope["id"]
        taken = Acceptance(envelope["id"], data["id"], data["status"], data["previous_status"], received.at)
        self.accepted.append(taken)
