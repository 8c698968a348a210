"""Signals that come before the service is there."""

from __future__ import annotations

import subprocess
import sys

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


def test_a_reload_that_is_asked_for_while_the_service_starts_is_carried_out_when_it_has() -> None:
    ended = subprocess.run([sys.executable, "-c", _EARLY_RELOAD], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "reloaded once\n", "")
