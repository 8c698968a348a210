"""A long crash storm: in addition, the receiver is slow and refuses some messages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from random import Random

from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY, Settings
from tests.evidence.crash_storm import POLLING, CrashStorm
from tests.evidence.environment import SOURCE, Environment, open_environment_with
from tests.evidence.mixed_services import Arrivals, rules, services
from tests.evidence.random_jobs import random_jobs
from tests.soak.outcome import Options, Outcome, Progress
from tests.soak.unreliable_receiver import unreliable_answers
from watcher.simulator.script import Script

JOBS = 50
SECONDS_PER_KILL = 1.5
LATENCY = timedelta(milliseconds=20)
RECEIVER_PAUSE = timedelta(milliseconds=150)
SHORTEST_LIFE = timedelta(seconds=15)
"""How long a job of a storm over several kinds of services lives at most, be there ever so few kills."""
FINISH_LIMIT = timedelta(minutes=5)
"""After three refusals in a row a message waits for minutes."""


async def crash_storm(options: Options) -> Outcome:
    """Kill the watcher as often as the options say, while fifty jobs change.

    With kinds of services the jobs come while the storm goes on, and are named nowhere: rules of discovery find them.
    """
    random, progress = Random(options.seed), Progress()
    span = min(options.time, timedelta(seconds=SECONDS_PER_KILL * options.kills))
    command = Command(options.home, options.home / "bytecode")
    async with open_environment_with(command, _scripts(options, random, span), options.url) as environment:
        receiver = environment.receiver
        receiver.pause = RECEIVER_PAUSE
        receiver.answers = unreliable_answers(Random(options.seed + 1))
        command.configure(_settings(options, environment))
        storm = CrashStorm(environment, random)
        arrivals = Arrivals(environment, random, JOBS if options.kinds else 0, max(span / 3, SHORTEST_LIFE))

        def is_finished(kills: int) -> bool:
            progress.say(kills=kills, accepted=len(receiver.accepted), refused=receiver.refused)
            arrivals.bring((kills + 1) / options.kills)
            return kills >= options.kills or progress.elapsed >= options.time

        await storm.run(is_finished)
        report = await storm.finish(FINISH_LIMIT)
    facts = {
        "kills": str(storm.kills),
        "deliveries interrupted": str(storm.interrupted_deliveries),
        "messages refused": str(receiver.refused),
        **_jobs_found(options, environment),
    }
    return Outcome(report, facts)


def _scripts(options: Options, random: Random, span: timedelta) -> Mapping[str, Script]:
    if options.kinds:
        return services(options.kinds, LATENCY)
    return {SOURCE: Script(random_jobs(random, JOBS, span), api_key=API_KEY, latency=LATENCY)}


def _settings(options: Options, environment: Environment) -> Settings:
    found = {"jobs": [], "watch": rules(options.kinds)} if options.kinds else {}
    return environment.settings(polling=POLLING, **found)


def _jobs_found(options: Options, environment: Environment) -> Mapping[str, str]:
    """Say how many jobs each service had."""
    counts = {name: len(api.ids) for name, api in environment.apis.items()} if options.kinds else {}
    return {f"jobs at {name}": str(count) for name, count in counts.items()}
