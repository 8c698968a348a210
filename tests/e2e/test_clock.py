"""The host's clock is set by an hour, on and back, while jobs move and deliveries are owed: the service goes on.

The clock is that of Debian's `faketime`, which the process reads instead of the host's; its monotonic clock goes on as
the host's does.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from tests.availability import unavailable
from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY, INTERVAL
from tests.evidence.environment import open_environment
from tests.evidence.random_jobs import random_jobs
from tests.evidence.reconcile import Coverage
from watcher.simulator.script import JobScript, Script, Step
from watcher.simulator.server import Reply

SEED = 20_261_124
SPAN = timedelta(seconds=6)
COVERAGE = Coverage(timedelta(seconds=8))
"""The service notices a step within a second; the rest is for a busy machine."""
CHANGING = "ftjob-changing"


class FakeTime:
    """The clock of a process, which can be set."""

    def __init__(self, library: Path, directory: Path) -> None:
        self._file = directory / "offset"
        self.set(0)
        self.environment: Mapping[str, str] = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # what it would mend is not broken here, and then threads hang
            "NO_FAKE_STAT": "1",
        }

    def set(self, hours: int) -> None:
        """Set it to so many hours after the host's, in one go."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{hours:+}h\n")
        new.replace(self._file)


@pytest.fixture
def fake_time(tmp_path: Path) -> FakeTime:
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        unavailable("faketime is not installed: apt-get install faketime")
    return FakeTime(libraries[0], tmp_path)


def test_the_clock_that_is_set_is_the_one_the_process_reads(fake_time: FakeTime) -> None:
    reading = ["date", "--utc", "+%s"]
    host = int(subprocess.check_output(reading))
    fake_time.set(-1)
    fake = int(subprocess.check_output(reading, env=os.environ | fake_time.environment))
    assert host - fake in range(3590, 3601)


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_set_by_an_hour_loses_nothing(watcher: Command, fake_time: FakeTime, hours: int) -> None:
    """It is set while jobs move, one of them has just been asked for, and the receiver refuses everything."""
    jobs = (*random_jobs(Random(SEED), 20, SPAN), JobScript(CHANGING, (Step("running"),)))
    async with open_environment(watcher, Script(jobs, api_key=API_KEY)) as environment:
        watcher.configure(environment.settings(polling={"interval": INTERVAL, "max_interval": "0.5s"}))
        async with watcher.start("run", env=fake_time.environment) as running:
            await running.until_logged("delivery accepted", job=f"openai/{CHANGING}")
            environment.receiver.answers = [Reply(503)]
            environment.api.set_status(CHANGING, "queued")  # the others may have ended before the service had started
            await running.until_logged("delivery retry scheduled")
            fake_time.set(hours)
            await running.until_logged("the host's clock was set, or the host slept")
            environment.api.set_status(CHANGING, "succeeded")
            environment.receiver.answers = [Reply(200)]
            await environment.until_settled(running, timedelta(seconds=30))
            ended = await running.stop()
        report = environment.report(COVERAGE)
    report.check(f"seed {SEED}")
    assert ended.code == 0
    assert environment.receiver.refused > 0
    assert "error" not in {entry["level"] for entry in ended.log}


async def test_a_clock_that_was_wrong_at_the_start_and_is_put_right_later_loses_nothing(
    watcher: Command, fake_time: FakeTime
) -> None:
    """What a service wrote while its clock was an hour fast must not bind the one that comes after it."""
    script = Script((JobScript(CHANGING, (Step("running"),)),), api_key=API_KEY)
    async with open_environment(watcher, script) as environment:
        watcher.configure(environment.settings(polling={"interval": "1s"}))
        fake_time.set(1)
        async with watcher.start("run", env=fake_time.environment) as running:
            await running.until_logged("delivery accepted")
            await running.stop()
        fake_time.set(0)
        environment.api.set_status(CHANGING, "succeeded")
        async with watcher.start("run", env=fake_time.environment) as running:
            await running.until_logged("watching")
            await environment.until_settled(running, timedelta(seconds=20))
            await running.stop()
        report = environment.report(COVERAGE)
    report.check()
