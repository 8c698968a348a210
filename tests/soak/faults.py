"""API faults, round after round with other jobs; here the longest waits, of minutes, are waited for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random
from signal import SIGHUP

from tests.e2e.processes import LIMIT, Command
from tests.evidence.faults import HOSTS, MIXED, cases, scripts
from tests.evidence.reconcile import Follow
from tests.evidence.stage import stage_of
from tests.evidence.tally import Tally
from tests.evidence.unreachable import unreachable
from tests.soak.moods import moody
from tests.soak.outcome import Outcome, Progress, Wish
from watcher.simulator.server import utc_now

POLLING = {"interval": "0.2s", "max_interval": "2s"}
WATCH = Follow(timedelta(seconds=20))
PATIENCE = timedelta(minutes=10)
"""How long a round may take: a source that asks for ages is left alone for two minutes, twice in a row perhaps."""


async def faults(wish: Wish) -> Outcome:
    """Play every case in rounds until the time is over."""
    outcome, progress, rounds = Outcome(), Progress(), 0
    hits: Counter[str] = Counter()
    while not rounds or progress.elapsed < wish.time:
        home = wish.home / f"round{rounds}"
        home.mkdir()
        outcome.tally.add(await _round(replace(wish, home=home, seed=wish.seed + rounds), progress, hits))
        rounds += 1
    outcome.facts = {"rounds": str(rounds), "answers spoilt": str(hits.total()), "of them mixed": str(hits[MIXED])}
    outcome.complaints += [
        f"{case.name} never happened" for case in cases(utc_now()) if case.hits and not hits[case.name]
    ]
    return outcome


async def _round(wish: Wish, progress: Progress, hits: Counter[str]) -> Tally:
    command = Command(wish.home, wish.home.parent / "bytecode")
    script = scripts(Random(wish.seed), cases(utc_now()))
    async with (
        stage_of(command, script) as scene,
        unreachable(scene, wish.home / "trust.pem") as hosts,
    ):
        scene.receiver.answers = moody(Random(wish.seed))
        command.configure(hosts.broken(polling=POLLING))
        async with command.start("run", env=hosts.environment) as running:
            await running.until(lambda: all(words in running.err for words in HOSTS.values()), "refusal", LIMIT)
            hosts.mend()
            command.configure(hosts.whole(polling=POLLING))
            running.signal(SIGHUP)
            until = progress.elapsed + PATIENCE
            while not scene.is_settled() and progress.elapsed < until:
                progress.say(seed=wish.seed, accepted=len(scene.receiver.accepted), refused=scene.receiver.refused)
                await scene.until_settled(running, timedelta(seconds=1))
            ended = await running.stop()
        assert ended.code == 0, ended.err[-5000:]
        hits.update({name: truth.spoilt.total() for name, truth in scene.truths.items()})
        return scene.tally(WATCH)
