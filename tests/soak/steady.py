"""A steady load: many jobs, few of which move, with faults at either end now and then. The memory must not grow."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from statistics import median

from tests.e2e.processes import Command, Running
from tests.e2e.settings import API_KEY
from tests.evidence.reconcile import Follow
from tests.evidence.stage import Stage, stage
from tests.evidence.truth import lives
from tests.soak.moods import moody
from tests.soak.outcome import Outcome, Progress, Wish
from watcher.simulator.script import Fault, FaultKind, JobScript, Script, Step

POLLING = {"interval": "10s", "max_interval": "30s"}
WATCH = Follow(timedelta(minutes=2))
"""Failed polls wait for each other, up to the longest interval."""
SHARE_MOVING = 0.1
SAMPLE = timedelta(seconds=10)
SHARE_WARM_UP = 0.25
"""The share of the samples that do not count: every job is seen for the first time, every buffer grows to its size."""
GROWTH_ALLOWED = 0.03
"""The share of the memory that may come and go."""
PATIENCE = timedelta(minutes=5)
REQUESTS_BETWEEN_FAULTS = 200
FAULTS_READY = 1000
FAULTS = (
    Fault(status_code=500),
    Fault(status_code=503, times=3),
    Fault(status_code=429, headers={"retry-after": "1"}),
    Fault(FaultKind.RESET),
    Fault(FaultKind.RESET_MID_BODY),
    Fault(FaultKind.MALFORMED),
    Fault(FaultKind.TRUNCATED_JSON),
    Fault(FaultKind.HANG),
    Fault(FaultKind.OVERSIZED),
)


async def steady(wish: Wish) -> Outcome:
    """Watch many jobs for as long as wished for."""
    random, progress = Random(wish.seed), Progress(SAMPLE)
    script = Script(tuple(_jobs(random, wish)), api_key=API_KEY, faults=tuple(_faults(random)))
    command = Command(wish.home, wish.home / "bytecode")
    async with stage(command, script, wish.url) as scene:
        scene.receiver.answers = moody(Random(wish.seed + 1))
        command.configure(scene.settings(polling=POLLING, log={"level": "error"}))
        async with command.start("run") as running:
            samples = [sample async for sample in _samples(scene, running, progress, wish.time)]
            await scene.until_settled(running, PATIENCE)
            seconds = _cpu_seconds(running)
            ended = await running.stop()
        assert ended.code == 0, ended.err[-5000:]
        outcome = Outcome(scene.tally(WATCH))
    outcome.facts["CPU"] = f"{seconds / progress.elapsed.total_seconds():.1%} of a core"
    _judge(samples, outcome)
    return outcome


def _jobs(random: Random, wish: Wish) -> Iterator[JobScript]:
    moving = lives(random, int(wish.jobs * SHARE_MOVING), wish.time)
    yield from moving
    for number in range(len(moving), wish.jobs):
        yield JobScript(f"ftjob-{number:05}", (Step("running"),))


def _faults(random: Random) -> Iterator[Fault]:
    at = 0
    for _ in range(FAULTS_READY):
        at += random.randint(1, 2 * REQUESTS_BETWEEN_FAULTS)
        yield replace(random.choice(FAULTS), at=at)


async def _samples(scene: Stage, running: Running, progress: Progress, time: timedelta) -> AsyncIterator[int]:
    """Yield the resident memory in bytes, again and again, until the time is over."""
    while progress.elapsed < time:
        await asyncio.sleep(SAMPLE.total_seconds())
        assert running.is_alive, f"the watcher has ended; it wrote\n{running.err[-5000:]}"
        resident = int(_stat(running, "statm")[1]) * os.sysconf("SC_PAGE_SIZE")
        progress.say(
            memory=_megabytes(resident), accepted=len(scene.receiver.accepted), polls=len(scene.truth.requests)
        )
        yield resident


def _judge(samples: Sequence[int], outcome: Outcome) -> None:
    """Compare the memory of the last third with that of the first third after the warm-up."""
    counted = samples[int(len(samples) * SHARE_WARM_UP) :]
    third = len(counted) // 3
    outcome.facts["memory, most"] = _megabytes(max(samples))
    if not third:
        outcome.facts["memory, growth"] = "too short to tell"
        return
    early, late = median(counted[:third]), median(counted[-third:])
    outcome.facts["memory, growth"] = f"{_megabytes(late - early)} after the warm-up, to {_megabytes(late)}"
    if late > early * (1 + GROWTH_ALLOWED):
        outcome.complaints.append("the memory grows")


def _cpu_seconds(running: Running) -> float:
    fields = _stat(running, "stat")
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def _stat(running: Running, name: str) -> Sequence[str]:
    return Path(f"/proc/{running.pid}/{name}").read_text().split()


def _megabytes(size: float) -> str:
    return f"{size / 1_000_000:.1f} MB"
