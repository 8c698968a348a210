"""Signals that come before the service is there, and when it has ended."""

from __future__ import annotations

import subprocess
import sys

import pytest

_EARLY_RELOAD = """
import asyncio, os, signal, sys
from watcher.cli.interrupts import end_at_once_on_signals

sys.argv = ["watcher", "run"]
end_at_once_on_signals()
os.kill(os.getpid(), signal.SIGHUP)
from watcher.service.signals import handled_signals

async def serve():
    with handled_signals() as requests:
        await asyncio.wait_for(requests.reload(), 10)
        print("reloaded once")

asyncio.run(serve())
"""

_LATE = """
import asyncio, os, signal, sys
from watcher.cli.interrupts import end_at_once_on_signals
from watcher.service.signals import handled_signals

sys.argv = ["watcher", "run"]
end_at_once_on_signals()

async def serve():
    with handled_signals():
        pass
    os.kill(os.getpid(), getattr(signal, "{name}"))
    await asyncio.sleep(0.1)
    print("ended in good order")

asyncio.run(serve())
"""


def test_a_reload_that_is_asked_for_while_the_service_starts_is_carried_out_when_it_has() -> None:
    ended = subprocess.run([sys.executable, "-c", _EARLY_RELOAD], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "reloaded once\n", "")


def test_a_reload_that_comes_when_the_service_has_ended_is_nothing() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _LATE.format(name="SIGHUP")], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ended in good order\n", "")


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_that_comes_when_the_service_has_ended_ends_the_process_without_a_traceback(
    name: str, code: int
) -> None:
    ended = subprocess.run([sys.executable, "-c", _LATE.format(name=name)], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "")
