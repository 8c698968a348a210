"""`kill -9` at random moments while fifty jobs change: nothing is lost, false, under two ids or out of order.

Long storms, also on PostgreSQL: `python -m tests.soak storm --kills 200`, and with `--kinds` over several services.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random

from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY
from tests.evidence.crash_storm import POLLING, CrashStorm
from tests.evidence.environment import open_environment, open_environment_with
from tests.evidence.mixed_services import MIXED_KINDS, Arrivals, rules, services
from tests.evidence.random_jobs import random_jobs
from watcher.simulator.script import Script

SEED = 20_261_124
KILLS = 25
JOBS = 50
SPAN = timedelta(seconds=30)
"""When the last job ends; the storm lasts about as long."""
LIFE = timedelta(seconds=12)
"""How long a job lives at most that comes while the storm goes on."""
LATENCY = timedelta(milliseconds=20)
PAUSE = timedelta(milliseconds=300)


async def test_nothing_is_lost_in_a_storm_of_crashes(watcher: Command) -> None:
    random = Random(SEED)
    script = Script(random_jobs(random, JOBS, SPAN), api_key=API_KEY, latency=LATENCY)
    async with open_environment(watcher, script) as environment:
        environment.receiver.pause = PAUSE
        watcher.configure(environment.settings(polling=POLLING))
        storm = CrashStorm(environment, random)
        await storm.run(lambda kills: kills >= KILLS)
        report = await storm.finish()
    report.check(f"seed {SEED}")
    assert storm.interrupted_deliveries > 0, "no kill interrupted a delivery"
    assert report.repeated > 0, "no message was sent again"


async def test_nothing_is_lost_in_a_storm_over_five_kinds_whose_jobs_are_found(watcher: Command) -> None:
    random = Random(SEED)
    async with open_environment_with(watcher, services(MIXED_KINDS, LATENCY)) as environment:
        environment.receiver.pause = PAUSE
        watcher.configure(environment.settings(polling=POLLING, jobs=[], watch=rules(MIXED_KINDS)))
        storm, arrivals = CrashStorm(environment, random), Arrivals(environment, random, JOBS, LIFE)

        def is_finished(kills: int) -> bool:
            arrivals.bring((kills + 1) / KILLS)
            return kills >= KILLS

        await storm.run(is_finished)
        report = await storm.finish()
        assert all(len(api.ids) == JOBS / len(MIXED_KINDS) for api in environment.apis.values())
    report.check(f"seed {SEED}")
    assert storm.interrupted_deliveries > 0, "no kill interrupted a delivery"
    assert report.repeated > 0, "no message was sent again"
