"""Two watchers on one SQLite file: what one of them has told the other one does not tell, also when one is killed."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random

from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY
from tests.evidence.fleet import Fleet, restless
from tests.evidence.reconcile import Follow
from tests.evidence.record import expire_claims
from tests.evidence.stage import stage
from watcher.simulator.script import JobScript, Script, Step
from watcher.simulator.server import utc_now

JOBS = [f"ftjob-{number:02}" for number in range(30)]
SEED = 7
INTERVAL = timedelta(seconds=0.5)
LATENCY = timedelta(seconds=0.8)
"""An answer takes longer than an interval: the other watcher asks before the first one knows, and both see a change."""
WATCH = Follow(blind=timedelta(seconds=3))
SETTLED = timedelta(seconds=30)


async def test_two_watchers_share_a_file_and_one_goes_on_when_the_other_one_is_killed(
    watcher: Command, tmp_path: Path, bytecode: Path
) -> None:
    waiting = tuple(JobScript(job, (Step("queued"),)) for job in JOBS)
    script = Script(waiting, api_key=API_KEY, latency=LATENCY)
    async with stage(watcher, script) as scene:
        fleet = Fleet(scene, tmp_path, bytecode)
        async with fleet.of("one", "two", interval=INTERVAL):
            await fleet.start("one", "two")
            await fleet.until_all_are_seen()
            for job in restless(Random(SEED), JOBS, *[(3.5, 5.0)] * 3):
                scene.truth.add_job(job)
            begun = utc_now()
            await asyncio.sleep(5)
            polls = Counter(poll.watcher for poll in fleet.polls(begun, utc_now()))
            sent_twice = scene.tally(WATCH).repeated

            await fleet.kill("one")
            await asyncio.sleep(1)
            expire_claims(scene.url)  # in half a minute those of the dead would be over by themselves
            await fleet.start("one")
            await scene.until_settled(fleet.running["two"], scene.end - utc_now() + SETTLED)
            tally = scene.tally(WATCH)
            ends = [await fleet.stop(name) for name in ("one", "two")]

    assert min(polls["one"], polls["two"]) > len(JOBS)
    assert polls.total() <= len(JOBS) * (timedelta(seconds=6) / INTERVAL)
    assert sent_twice == 0
    assert [ended.code for ended in ends] == [0, 0]
    assert "Traceback" not in fleet.written()
    assert "somebody else was first, observation dropped" in fleet.written()
    tally.check(f"seed {SEED}")
