"""The fixtures of every end-to-end test: a command in an empty home, a simulated API and a receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY, SECRETS, WEBHOOK_SECRET
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import Receiver
from watcher.simulator.script import Script


@pytest.fixture
async def api() -> AsyncIterator[FineTuningApi]:
    """An API without jobs that requires the key."""
    async with FineTuningApi(Script(api_key=API_KEY)) as api:
        yield api


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that accepts everything, and checks signatures."""
    async with Receiver(secret=WEBHOOK_SECRET) as receiver:
        yield receiver


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of compiled modules that all commands share."""
    return tmp_path_factory.mktemp("bytecode")


@pytest.fixture
def watcher(tmp_path: Path, bytecode: Path) -> Iterator[Command]:
    """The command; at the end of each test, neither its output nor its database may contain a secret or a traceback."""
    command = Command(tmp_path, bytecode)
    yield command
    written = "\n".join(command.transcripts)
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("watcher.db*"))
    for secret in SECRETS:
        assert secret not in written
        assert secret.encode() not in stored
    assert "Traceback" not in written
