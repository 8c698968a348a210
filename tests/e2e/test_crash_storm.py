"""`kill -9` at random moments while fifty jobs change: nothing is lost, false, under two ids or out of order.

A long storm, also on PostgreSQL: `python -m tests.soak storm --kills 200`.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random

from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY
from tests.evidence.crash_storm import POLLING, CrashStorm
from tests.evidence.environment import open_environment
from tests.evidence.random_jobs import random_jobs
from watcher.simulator.script import Script

SEED = 20_261_124
KILLS = 25
JOBS = 50
SPAN = timedelta(seconds=30)
"""When the last job ends; the storm lasts about as long."""


async def test_nothing_is_lost_in_a_storm_of_crashes(watcher: Command) -> None:
    random = Random(SEED)
    script = Script(random_jobs(random, JOBS, SPAN), api_key=API_KEY, latency=timedelta(milliseconds=20))
    async with open_environment(watcher, script) as environment:
        environment.receiver.pause = timedelta(milliseconds=300)
        watcher.configure(environment.settings(polling=POLLING))
        storm = CrashStorm(environment, random)
        await storm.run(lambda kills: kills >= KILLS)
        report = await storm.finish()
    report.check(f"seed {SEED}")
    assert storm.interrupted_deliveries > 0, "no kill interrupted a delivery"
    assert report.repeated > 0, "no message was sent again"
