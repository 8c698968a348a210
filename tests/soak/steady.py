"""A steady load: many jobs, few of which change, with occasional faults of API and receiver. Memory must not grow."""

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
from tests.evidence.environment import Environment, open_environment
from tests.evidence.random_jobs import random_jobs
from tests.evidence.reconcile import Coverage
from tests.soak.outcome import Options, Outcome, Progress
from tests.soak.unreliable_receiver import unreliable_answers
from watcher.simulator.script import Fault, FaultKind, JobScript, Script, Step

POLLING = {"interval": "10s", "max_interval": "30s"}
COVERAGE = Coverage(timedelta(minutes=2))
"""After failed polls a job waits for up to the longest interval."""
SHARE_CHANGING = 0.1
SAMPLE = timedelta(seconds=10)
SHARE_WARM_UP = 0.25
"""The share of the samples that do not count, because every job is recorded for the first time and buffers grow."""
GROWTH_ALLOWED = 0.03
"""The share by which the memory may vary."""
FINISH_LIMIT = timedelta(minutes=5)
REQUESTS_BETWEEN_FAULTS = 200
FAULT_COUNT = 1000
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


async def steady(options: Options) -> Outcome:
    """Watch many jobs for the time that the options say."""
    random, progress = Random(options.seed), Progress(SAMPLE)
    script = Script(tuple(_jobs(random, options)), api_key=API_KEY, faults=tuple(_faults(random)))
    command = Command(options.home, options.home / "bytecode")
    async with open_environment(command, script, options.url) as environment:
        environment.receiver.answers = unreliable_answers(Random(options.seed + 1))
        command.configure(environment.settings(polling=POLLING, log={"level": "error"}))
        async with command.start("run") as running:
            samples = [sample async for sample in _samples(environment, running, progress, options.time)]
            await environment.until_settled(running, FINISH_LIMIT)
            seconds = _cpu_seconds(running)
            ended = await running.stop()
        assert ended.code == 0, ended.err[-5000:]
        outcome = Outcome(environment.report(COVERAGE))
    outcome.facts["CPU"] = f"{seconds / progress.elapsed.total_seconds():.1%} of a core"
    _judge(samples, outcome)
    return outcome


def _jobs(random: Random, options: Options) -> Iterator[JobScript]:
    changing = random_jobs(random, int(options.jobs * SHARE_CHANGING), options.time)
    yield from changing
    for number in range(len(changing), options.jobs):
        yield JobScript(f"ftjob-{number:05}", (Step("running"),))


def _faults(random: Random) -> Iterator[Fault]:
    at = 0
    for _ in range(FAULT_COUNT):
        at += random.randint(1, 2 * REQUESTS_BETWEEN_FAULTS)
        yield replace(random.choice(FAULTS), at=at)


async def _samples(
    environment: Environment, running: Running, progress: Progress, time: timedelta
) -> AsyncIterator[int]:
    """Yield the resident memory in bytes at intervals, until the time is over."""
    while progress.elapsed < time:
        await asyncio.sleep(SAMPLE.total_seconds())
        assert running.is_alive, f"the watcher has ended; it wrote\n{running.err[-5000:]}"
        resident = int(_stat(running, "statm")[1]) * os.sysconf("SC_PAGE_SIZE")
        progress.say(
            memory=_megabytes(resident),
            accepted=len(environment.receiver.accepted),
            polls=len(environment.api.requests),
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
        outcome.problems.append("the memory grows")


def _cpu_seconds(running: Running) -> float:
    fields = _stat(running, "stat")
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def _stat(running: Running, name: str) -> Sequence[str]:
    return Path(f"/proc/{running.pid}/{name}").read_text().split()


def _megabytes(size: float) -> str:
    return f"{size / 1_000_000:.1f} MB"
