"""A store that fails while the service runs: polling goes on, and what was seen is recorded and delivered later."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.availability import unavailable
from tests.e2e.processes import Command, Running
from tests.e2e.settings import jobs, settings, statuses, webhook
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import Receiver
from watcher.simulator.script import JobScript, Step

JOB = "ftjob-failing"


def configure(watcher: Command, api: FineTuningApi, receiver: Receiver, database: Path) -> None:
    api.add_job(JobScript(JOB, (Step("running"),)))
    watcher.configure(settings(api.base_url, database, jobs=jobs(JOB), notifiers={"pager": webhook(receiver.url)}))


def told(receiver: Receiver) -> list[str]:
    """Return what the receiver heard of the job; it may also hear that the store fails."""
    bodies = [json.loads(message.body) for message in receiver.received]
    return statuses(body for body in bodies if body["data"].get("id") == JOB)


async def complained(running: Running, words: str) -> None:
    """Wait until the service has said what is wrong with its store."""
    await running.until(lambda: words in running.err, words)


async def test_a_database_locked_by_another_process_delays_the_record_and_nothing_else(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    """The service waits five seconds for a lock before it says so: the test holds it for as long."""
    configure(watcher, api, receiver, watcher.database)
    async with watcher.start("run") as running:
        await running.until_logged("delivery accepted", status="running")
        await running.until_logged("poll answered, nothing new")
        with closing(sqlite3.connect(watcher.database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            api.set_status(JOB, "succeeded")
            await running.until_logged("poll answered", status="succeeded")
            await complained(running, "is locked by another process and stayed so for 5 s")
            assert told(receiver) == ["running"]
            other.execute("ROLLBACK")
        await running.until_logged("delivery accepted", status="succeeded")
        ended = await running.stop()
    assert ended.code == 0
    assert told(receiver) == ["running", "succeeded"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    try:
        subprocess.run(mounting, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        unavailable(f"a disk can be filled only where one can be mounted: {error}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(place: Path) -> Path:
    """Leave no room on a disk; return the file that takes it."""
    filler = place / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


async def test_a_full_disk_delays_the_record_and_nothing_else(
    watcher: Command, api: FineTuningApi, receiver: Receiver, small_disk: Path
) -> None:
    configure(watcher, api, receiver, small_disk / "watcher.db")
    async with watcher.start("run") as running:
        await running.until_logged("delivery accepted", status="running")
        filler = fill(small_disk)
        await complained(running, "cannot grow: the disk is full; free some space")
        api.set_status(JOB, "succeeded")
        await running.until_logged("poll answered", status="succeeded")
        await running.until_logged("the store cannot be written, keeping what it lacks")
        assert told(receiver) == ["running"]
        filler.unlink()
        await running.until_logged("delivery accepted", status="succeeded")
        ended = await running.stop()
    assert ended.code == 0
    assert told(receiver) == ["running", "succeeded"]
    assert "the store can be written again" in ended.events()


async def test_a_database_that_is_taken_away_is_missed_at_once_and_gone_on_with_when_it_is_back(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    """What is written into a deleted file succeeds, and is lost with the last one who has it open."""
    configure(watcher, api, receiver, watcher.database)
    aside = watcher.home / "aside.db"
    async with watcher.start("run") as running:
        await running.until_logged("delivery accepted", status="running")
        watcher.database.rename(aside)
        api.set_status(JOB, "succeeded")
        await complained(running, f"the database {watcher.database} was deleted while it was in use: put it back")
        await running.until_logged("the store cannot be written, keeping what it lacks")
        assert told(receiver) == ["running"]
        assert not watcher.database.exists()
        aside.rename(watcher.database)
        await running.until_logged("delivery accepted", status="succeeded")
        ended = await running.stop()
    assert ended.code == 0
    assert told(receiver) == ["running", "succeeded"]
    recorded = await watcher.run("jobs", "history", JOB, "--json")
    assert [entry["status"] for entry in json.loads(recorded.out)] == ["succeeded", "running"]


async def test_a_database_that_is_replaced_is_left_alone_until_a_restart(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    """An older copy is put in its place: the change since is told once, from the service that starts on it."""
    configure(watcher, api, receiver, watcher.database)
    async with watcher.start("run") as running:
        await running.until_logged("delivery accepted", status="running")
        await running.stop()
    copy = watcher.home / "copy.db"
    shutil.copyfile(watcher.database, copy)
    async with watcher.start("run") as running:
        await running.until_logged("poll answered, nothing new")
        copy.rename(watcher.database)
        before = watcher.database.read_bytes()
        api.set_status(JOB, "succeeded")
        await complained(running, "was replaced by another file while it was in use")
        await running.until_logged("the store cannot be written, keeping what it lacks")
        await running.stop()
        assert watcher.database.read_bytes() == before
    async with watcher.start("run") as running:
        await running.until_logged("delivery accepted", status="succeeded")
        await running.stop()
    assert told(receiver) == ["running", "succeeded"]
