"""A long crash storm: the receiver is slow and refuses some messages besides."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY
from tests.evidence.stage import stage
from tests.evidence.storm import POLLING, Storm
from tests.evidence.truth import lives
from tests.soak.moods import moody
from tests.soak.outcome import Outcome, Progress, Wish
from watcher.simulator.script import Script

JOBS = 50
SECONDS_PER_KILL = 1.5
LATENCY = timedelta(milliseconds=20)
RECEIVER_PAUSE = timedelta(milliseconds=150)
PATIENCE = timedelta(minutes=5)
"""Three refusals in a row make a message wait for minutes."""


async def storm(wish: Wish) -> Outcome:
    """Kill the watcher as often as wished for, while fifty jobs move."""
    random, progress = Random(wish.seed), Progress()
    span = min(wish.time, timedelta(seconds=SECONDS_PER_KILL * wish.kills))
    command = Command(wish.home, wish.home / "bytecode")
    async with stage(command, Script(lives(random, JOBS, span), api_key=API_KEY, latency=LATENCY), wish.url) as scene:
        scene.receiver.pause = RECEIVER_PAUSE
        scene.receiver.answers = moody(Random(wish.seed + 1))
        command.configure(scene.settings(polling=POLLING))
        raging = Storm(scene, random)

        def is_over(kills: int) -> bool:
            progress.say(kills=kills, accepted=len(scene.receiver.accepted), refused=scene.receiver.refused)
            return kills >= wish.kills or progress.elapsed >= wish.time

        await raging.rage(is_over)
        tally = await raging.calm(PATIENCE)
    facts = {
        "kills": str(raging.kills),
        "deliveries in hand": f"{raging.hits} when the watcher was killed",
        "messages refused": str(scene.receiver.refused),
    }
    return Outcome(tally, facts)
