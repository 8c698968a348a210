"""The real server on loopback, once for each module, before a real store of each test."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.doubles import ManualClock, RecordingLog
from tests.unit.server.running_server import TOKEN, Site, a_health_snapshot, find_job
from watcher.domain.health import HealthSnapshot
from watcher.domain.jobs import JobSpec
from watcher.server.app import Access, make_app
from watcher.server.context import ServerContext, Store
from watcher.server.listening import Listen
from watcher.server.metrics import PrometheusTelemetry
from watcher.server.serving import serving
from watcher.store.sql import SqlStore

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Given to each client, which would make one of its own and take long over it."""


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
    """A store with its tables, to copy."""
    path = tmp_path_factory.mktemp("ready") / "watcher.db"

    async def open_once() -> None:
        async with SqlStore(f"sqlite:///{path}"):
            pass

    asyncio.run(open_once())
    return path


@pytest_asyncio.fixture(loop_scope="module")
async def store(ready_file: Path, tmp_path: Path, telemetry: PrometheusTelemetry) -> AsyncIterator[SqlStore]:
    """An empty store."""
    shutil.copyfile(ready_file, tmp_path / "watcher.db")
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db", telemetry) as opened:
        yield opened


class Served:
    """What is served at the moment: starting and stopping a server for each test would take most of their time."""

    def __init__(self) -> None:
        self.url = ""
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application of the running test answer."""
        assert self.app is not None
        await self.app(scope, receive, send)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served() -> AsyncIterator[Served]:
    """Serve on loopback."""
    switch = Served()
    async with serving(switch, Listen("127.0.0.1", 0), RecordingLog()) as listen:
        switch.url = f"http://{listen}"
        yield switch


@pytest.fixture
def site(
    served: Served, store: SqlStore, telemetry: PrometheusTelemetry, clock: ManualClock, log: RecordingLog
) -> Site:
    """Serve the application, and give a client of it that sends the token."""

    @asynccontextmanager
    async def serve(
        *,
        token: str | None = TOKEN,
        health: HealthSnapshot | None = None,
        instead: Store | None = None,
        hosts: Collection[str] | None = (),
        user_header: str | None = None,
        find_job: Callable[[str | None, str], JobSpec] = find_job,
        **more: Any,
    ) -> AsyncIterator[httpx.AsyncClient]:
        stands = health or a_health_snapshot()
        more = {"page_age": timedelta(), **more}  # what tests change is seen at once
        context = ServerContext(instead or store, clock, log, "1.2.3", lambda: stands, find_job, **more)
        served.app = make_app(context, telemetry, Access(token, hosts, user_header))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.AsyncHTTPTransport(verify=_NO_TLS)
        async with httpx.AsyncClient(base_url=served.url, headers=headers, transport=transport) as client:
            yield client
        served.app = None

    return serve
