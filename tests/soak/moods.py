"""A receiver that is not always in the mood."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from watcher.simulator.receiver import ACCEPTED
from watcher.simulator.server import Manner, Received, Reply

SHARE_REFUSED = 0.04
"""More of it, and messages that are refused time and again would decide how long a run takes."""
REFUSALS = (
    Reply(500),
    Reply(503),
    Reply(429, {"retry-after": "1"}),
    Reply(manner=Manner.RESET),
    Reply(body=b"accepted", manner=Manner.RESET_MID_BODY),
)


def moody(random: Random) -> Callable[[Received], Reply]:
    """Return answers that accept nearly everything, and refuse the rest in ways that may pass."""
    return lambda _: random.choice(REFUSALS) if random.random() < SHARE_REFUSED else ACCEPTED
