"""`kill -9` at moments drawn by chance, while fifty jobs move: nothing is lost, false, told twice or out of order.

A long storm, also on PostgreSQL: `python -m tests.soak storm --kills 200`.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random

from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY
from tests.evidence.stage import stage
from tests.evidence.storm import POLLING, Storm
from tests.evidence.truth import lives
from watcher.simulator.script import Script

SEED = 20_261_124
KILLS = 25
JOBS = 50
SPAN = timedelta(seconds=30)
"""When the last job has ended; the storm lasts about as long."""


async def test_nothing_is_lost_in_a_storm_of_crashes(watcher: Command) -> None:
    random = Random(SEED)
    jobs = lives(random, JOBS, SPAN)
    async with stage(watcher, Script(jobs, api_key=API_KEY, latency=timedelta(milliseconds=20))) as scene:
        scene.receiver.pause = timedelta(milliseconds=150)
        watcher.configure(scene.settings(polling=POLLING))
        storm = Storm(scene, random)
        await storm.rage(lambda kills: kills >= KILLS)
        tally = await storm.calm()
    tally.check(f"seed {SEED}")
    assert storm.hits > 0, "no kill hit a delivery that was under way"
    assert tally.repeated > 0, "no message was sent again"
