"""A receiver that keeps a log of what it accepted: only what is in it counts as delivered."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.simulator.receiver import Answers, Receiver
from watcher.simulator.server import Clock, Manner, Received, Reply, utc_now

_SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class AcceptedMessage:
    """A message about a job that a receiver accepted."""

    id: str
    job: str
    status: str
    """In the word of the service, as the previous one."""
    previous_status: str | None
    at: datetime


class RecordingReceiver(Receiver):
    """A webhook receiver that records the messages it answered with a complete 2xx; it refused all others.

    A message counts as accepted even when the sender was killed before it could read the answer.
    """

    def __init__(
        self, *, secret: str | None = None, answers: Answers | None = None, clock: Clock = utc_now, port: int = 0
    ) -> None:
        super().__init__(secret=secret, answers=answers, clock=clock, port=port)
        self.accepted: list[AcceptedMessage] = []
        """The accepted messages about jobs, oldest first."""
        self.conditions: list[str] = []
        """The types of the accepted messages about the watcher itself (`watcher.source.failing`), oldest first."""
        self.refused = 0
        """The number of refused messages."""
        self.pause = timedelta()
        """How long, in real time, it waits before it sends an answer; the message is already recorded then."""

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
        message = AcceptedMessage(
            envelope["id"], data["id"], data["native_status"], data["previous_status"], received.at
        )
        self.accepted.append(message)
