"""The probes: whether the service is alive, and whether it does its work. They need no token."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from watcher.domain.durations import format_duration
from watcher.domain.health import HealthSnapshot
from watcher.errors import StoreError
from watcher.server.context import ServerContext


class Probes:
    """Answers `/livez` and `/readyz`."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self._store_check: asyncio.Task[str | None] | None = None

    async def live(self, _request: Request) -> Response:
        """Return whether the loops of the service make progress."""
        stalled = list(self._context.health().stalled)
        body = {"status": "stalled" if stalled else "alive", "stalled": stalled}
        return JSONResponse(body, HTTPStatus.SERVICE_UNAVAILABLE if stalled else HTTPStatus.OK)

    async def ready(self, _request: Request) -> Response:
        """Return whether the store can be read, and whether any source answers."""
        faults = {"store": await self._store_fault(), "sources": self._source_fault(self._context.health())}
        is_ready = not any(faults.values())
        checks = {name: fault or "ok" for name, fault in faults.items()}
        body = {"status": "ready" if is_ready else "not ready", "checks": checks}
        return JSONResponse(body, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)

    async def _store_fault(self) -> str | None:
        """Check the store, once for all concurrent probes: they need no token, and the store has other work to do."""
        if self._store_check is None or self._store_check.done():
            self._store_check = asyncio.create_task(self._check_store())
        try:
            async with asyncio.timeout(self._context.store_patience.total_seconds()):
                return await asyncio.shield(self._store_check)
        except TimeoutError:
            return "the store does not answer in time"

    async def _check_store(self) -> str | None:
        try:
            await self._context.store.page_of_jobs(limit=1)
        except StoreError:
            return "the store cannot be read"  # without a token: what failed, not where
        return None

    def _source_fault(self, health: HealthSnapshot) -> str | None:
        if not health.is_blind(self._context.clock()):
            return None
        return f"no source has answered within {format_duration(health.silence_limit)}"
