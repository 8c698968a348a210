"""Two watchers on one SQLite file: each event is delivered by one of them, also when one is killed."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from tests.e2e.processes import LIMIT, Command
from tests.e2e.settings import API_KEY
from tests.evidence.database import expire_claims
from tests.evidence.environment import open_environment
from tests.evidence.random_jobs import alternating_jobs
from tests.evidence.reconcile import Coverage
from tests.evidence.replicas import Replicas
from watcher.simulator.script import JobScript, Script, Step
from watcher.simulator.server import utc_now

JOBS = [f"ftjob-{number:02}" for number in range(30)]
SEED = 7
INTERVAL = timedelta(seconds=0.5)
LATENCY = timedelta(seconds=0.8)
"""An answer takes longer than an interval, so that both watchers see a change before either has recorded it."""
COVERAGE = Coverage(longest_unseen=timedelta(seconds=3))
SETTLED = timedelta(seconds=30)


async def polls_of_each(replicas: Replicas, begun: datetime) -> tuple[Counter[str], timedelta]:
    """Wait until each watcher has polled more often than there are jobs; return its polls, and the time since then.

    On a machine that does nothing else this is so at once.
    """
    async with asyncio.timeout(LIMIT.total_seconds()):
        while True:
            now = utc_now()
            polls = Counter(poll.watcher for poll in replicas.polls(begun, now))
            if min(polls["one"], polls["two"]) > len(JOBS):
                return polls, now - begun
            await asyncio.sleep(0.1)


async def test_two_watchers_share_a_file_and_one_goes_on_when_the_other_one_is_killed(
    watcher: Command, tmp_path: Path, bytecode: Path
) -> None:
    waiting = tuple(JobScript(job, (Step("queued"),)) for job in JOBS)
    script = Script(waiting, api_key=API_KEY, latency=LATENCY)
    async with open_environment(watcher, script) as environment:
        replicas = Replicas(environment, tmp_path, bytecode)
        async with replicas.configured("one", "two", interval=INTERVAL):
            await replicas.start("one", "two")
            await replicas.until_all_jobs_are_recorded()
            for job in alternating_jobs(Random(SEED), JOBS, *[(3.5, 5.0)] * 3):
                environment.api.add_job(job)
            begun = utc_now()
            await asyncio.sleep(5)
            polls, elapsed = await polls_of_each(replicas, begun)
            sent_twice = environment.report(COVERAGE).repeated

            await replicas.kill("one")
            await asyncio.sleep(1)
            expire_claims(environment.url)  # they would expire by themselves after half a minute
            await replicas.start("one")
            await environment.until_settled(replicas.running["two"], environment.end - utc_now() + SETTLED)
            report = environment.report(COVERAGE)
            ends = [await replicas.stop(name) for name in ("one", "two")]

    assert polls.total() <= len(JOBS) * ((elapsed + timedelta(seconds=1)) / INTERVAL)
    assert sent_twice == 0
    assert [ended.code for ended in ends] == [0, 0]
    assert "Traceback" not in replicas.output()
    assert "stale update dropped: another watcher recorded it first" in replicas.output()
    report.check(f"seed {SEED}")
