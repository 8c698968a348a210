"""A third-party notifier: installed beside the watcher, found, and delivered to, in a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tests.loopback import LoopbackReceiver

PROGRAM = """
import asyncio, sys
from datetime import UTC, datetime, timedelta

from watcher.domain.messages import message_of_test
from watcher.http import Bounds, HttpClient, Pacer
from watcher.plugins import registry
from watcher.plugins.notifier import Context

async def main(board):
    plugin = registry.notifiers.plugin("bulletin")
    config = plugin.config(board=board, token="pA55-of-the-board")
    now = datetime.now(UTC)
    async with HttpClient(Bounds(timedelta(seconds=5), concurrency=1, size_limit=1000)) as http:
        notifier = plugin.build(config, Context("board", http, Pacer(), lambda: now))
        print(await notifier.send(message_of_test("board", now)))
    print(sorted(registry.notifiers.kinds()))
    print(sys.modules[plugin.config.__module__].__file__)

asyncio.run(main(sys.argv[1]))
"""


async def test_an_installed_package_is_delivered_to(site: Path, receiver: LoopbackReceiver) -> None:
    command = [sys.executable, "-c", PROGRAM, f"{receiver.url}/board"]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    outcome, kinds, module = output.decode().splitlines()
    assert outcome == "Delivered(answer='200 OK: ok', receipt=None)"
    assert "'bulletin', " in kinds
    assert str(site) in module
    [request] = receiver.requests
    assert request.target == "/board"
    assert request.headers["authorization"] == "Bearer pA55-of-the-board"
    assert request.body.startswith(b"Test message for notifier board [evt_")
