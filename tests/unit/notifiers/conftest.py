"""What a notifier is built with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.doubles import ManualClock
from tests.loopback import LoopbackReceiver
from watcher.http import Bounds, HttpClient, Pacer
from watcher.plugins.notifier import Context


class RecordingPacer(Pacer):
    """A pacer that never waits, and remembers its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[tuple[str, timedelta]] = []

    async def turn(self, address: str, spacing: timedelta) -> None:
        """Remember the turn."""
        self.turns.append((address, spacing))


@pytest.fixture
async def receiver() -> AsyncIterator[LoopbackReceiver]:
    async with LoopbackReceiver() as opened:
        yield opened


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def pacer() -> RecordingPacer:
    return RecordingPacer()


@pytest.fixture
async def context(clock: ManualClock, pacer: RecordingPacer) -> AsyncIterator[Context]:
    async with HttpClient(Bounds(timedelta(seconds=5), concurrency=4, size_limit=1_000_000)) as http:
        yield Context("chat", http, pacer, clock)
