"""The real server on loopback, before a real record."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.doubles import ManualClock, RecordingLog
from tests.unit.server.running_server import TOKEN, Site, a_health_snapshot
from watcher.server.app import make_app
from watcher.server.context import HealthSnapshot, Record, ServerContext
from watcher.server.metrics import PrometheusTelemetry
from watcher.server.serving import Listen, serving
from watcher.store.sql import SqlStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def log() -> RecordingLog:
    return RecordingLog()


@pytest.fixture
def telemetry() -> PrometheusTelemetry:
    return PrometheusTelemetry()


@pytest.fixture(scope="session")
def ready_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record with its tables, to copy."""
    path = tmp_path_factory.mktemp("ready") / "watcher.db"

    async def open_once() -> None:
        async with SqlStore(f"sqlite:///{path}"):
            pass

    asyncio.run(open_once())
    return path


@pytest.fixture
async def store(ready_file: Path, tmp_path: Path, telemetry: PrometheusTelemetry) -> AsyncIterator[SqlStore]:
    """An empty record."""
    shutil.copyfile(ready_file, tmp_path / "watcher.db")
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db", telemetry) as opened:
        yield opened


@pytest.fixture
def site(store: SqlStore, telemetry: PrometheusTelemetry, clock: ManualClock, log: RecordingLog) -> Site:
    """Serve the application on loopback, and give a client of it that sends the token."""

    @asynccontextmanager
    async def serve(
        *, token: str | None = TOKEN, health: HealthSnapshot | None = None, record: Record | None = None
    ) -> AsyncIterator[httpx.AsyncClient]:
        stands = health or a_health_snapshot()
        context = ServerContext(record or store, clock, log, "1.2.3", lambda: stands)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with (
            serving(make_app(context, telemetry, token), Listen("127.0.0.1", 0), log) as listen,
            httpx.AsyncClient(base_url=f"http://{listen}", headers=headers, verify=False, trust_env=False) as client,
        ):
            yield client

    return serve
