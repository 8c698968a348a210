"""Everything that goes wrong at an API, each by itself and all mixed: nothing is lost, and nothing false is told.

Each case is a source of its own, so that none waits for another. For as long as you like, and without a hand that cuts
the longest waits short: `python -m tests.soak faults --minutes 10`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from signal import SIGHUP

from tests.e2e.processes import Command, Running
from tests.evidence.faults import HOSTS, LISTED, MIXED, cases, scripts
from tests.evidence.reconcile import Follow
from tests.evidence.record import make_due
from tests.evidence.stage import Stage, stage_of
from tests.evidence.unreachable import unreachable
from watcher.simulator.server import utc_now

SEED = 20_261_124
LIMIT = timedelta(seconds=60)
ROUND = timedelta(seconds=3)
ROUNDS = 8
POLLING = {"interval": "0.1s", "max_interval": "1s"}
BLIND = timedelta(seconds=10)
"""What was told must have been seen; besides, where pages of a list are spoilt, what has lasted."""


async def test_nothing_is_lost_or_false_whatever_an_api_does(watcher: Command, tmp_path: Path) -> None:
    chosen = cases(utc_now())
    async with (
        stage_of(watcher, scripts(Random(SEED), chosen)) as scene,
        unreachable(scene, tmp_path / "trust.pem") as hosts,
    ):
        watcher.configure(hosts.broken(polling=POLLING))
        async with watcher.start("run", env=hosts.environment) as running:
            await running.until(lambda: all(words in running.err for words in HOSTS.values()), "refusal to connect")
            begun = utc_now()
            hosts.mend()
            watcher.configure(hosts.whole(polling=POLLING))
            running.signal(SIGHUP)
            await scene.until_settled(
                running, LIMIT, MIXED, LISTED, *(case.name for case in chosen if not case.is_slow)
            )
            await hurry(scene, running, [case.name for case in chosen])
            await scene.until_settled(running, LIMIT)
            ended = await running.stop()
        tally = scene.tally(Follow(BLIND, [(begun, utc_now())]))
    spoilt = {name: truth.spoilt.total() for name, truth in scene.truths.items()}
    tally.check(f"seed {SEED}")
    assert ended.code == 0
    assert spoilt.pop(MIXED) > 50
    assert spoilt.pop(LISTED) == 0
    assert scene.truths[LISTED].spoilt_pages > 0
    assert spoilt == {case.name: len(scene.truths[case.name].ids) * case.hits for case in chosen}


async def hurry(scene: Stage, running: Running, names: Sequence[str]) -> None:
    """Cut short the waits of a minute and longer: of the jobs in the record, of the sources by a reload."""
    for _ in range(ROUNDS):
        make_due(scene.url)
        running.signal(SIGHUP)
        await scene.until_settled(running, ROUND, *names)
        if scene.is_settled(*names):
            return
