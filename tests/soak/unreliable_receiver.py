"""A receiver that refuses some of the messages."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from watcher.simulator.receiver import ACCEPTED
from watcher.simulator.server import Manner, Received, Reply

SHARE_REFUSED = 0.04
"""With a greater share, the retries of messages that are refused repeatedly would decide how long a run takes."""
REFUSALS = (
    Reply(500),
    Reply(503),
    Reply(429, {"retry-after": "1"}),
    Reply(manner=Manner.RESET),
    Reply(body=b"accepted", manner=Manner.RESET_MID_BODY),
)


def unreliable_answers(random: Random) -> Callable[[Received], Reply]:
    """Return answers that accept nearly everything, and refuse the rest with errors that permit a retry."""
    return lambda _: random.choice(REFUSALS) if random.random() < SHARE_REFUSED else ACCEPTED
