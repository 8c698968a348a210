"""A long crash storm: in addition, the receiver is slow and refuses some messages."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY
from tests.evidence.crash_storm import POLLING, CrashStorm
from tests.evidence.environment import open_environment
from tests.evidence.random_jobs import random_jobs
from tests.soak.outcome import Options, Outcome, Progress
from tests.soak.unreliable_receiver import unreliable_answers
from watcher.simulator.script import Script

JOBS = 50
SECONDS_PER_KILL = 1.5
LATENCY = timedelta(milliseconds=20)
RECEIVER_PAUSE = timedelta(milliseconds=150)
FINISH_LIMIT = timedelta(minutes=5)
"""After three refusals in a row a message waits for minutes."""


async def crash_storm(options: Options) -> Outcome:
    """Kill the watcher as often as the options say, while fifty jobs change."""
    random, progress = Random(options.seed), Progress()
    span = min(options.time, timedelta(seconds=SECONDS_PER_KILL * options.kills))
    command = Command(options.home, options.home / "bytecode")
    script = Script(random_jobs(random, JOBS, span), api_key=API_KEY, latency=LATENCY)
    async with open_environment(command, script, options.url) as environment:
        receiver = environment.receiver
        receiver.pause = RECEIVER_PAUSE
        receiver.answers = unreliable_answers(Random(options.seed + 1))
        command.configure(environment.settings(polling=POLLING))
        storm = CrashStorm(environment, random)

        def is_finished(kills: int) -> bool:
            progress.say(kills=kills, accepted=len(receiver.accepted), refused=receiver.refused)
            return kills >= options.kills or progress.elapsed >= options.time

        await storm.run(is_finished)
        report = await storm.finish(FINISH_LIMIT)
    facts = {
        "kills": str(storm.kills),
        "deliveries interrupted": str(storm.interrupted_deliveries),
        "messages refused": str(receiver.refused),
    }
    return Outcome(report, facts)
