"""What a notifier is built with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from hypothesis import strategies as st

from tests.doubles import ManualClock
from tests.loopback import LoopbackReceiver
from watcher.domain.messages import Detail
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


HOSTILE = [
    "<!channel>",
    "<@123>",
    "@everyone",
    "[a](http://b)",
    "**",
    "`",
    "```",
    "{{TIME(x)}}",
    "\n",
    "\u202e",
    "\ud800",
]
"""What begins something in the markup of some receiver, or hides in a text."""


def hostile_facts() -> st.SearchStrategy[list[Detail]]:
    """Make facts that are many, long, empty or full of markup."""
    values = st.lists(st.sampled_from([*HOSTILE, "😀", "x", ""]), max_size=5).flatmap(
        lambda pieces: st.integers(1, 3000).map(lambda times: "".join(pieces) * times)
    )
    labels = st.sampled_from(["Error", "<!channel>", "x" * 3000])
    return st.lists(st.builds(Detail, labels, values, st.booleans()), max_size=60)
