"""The HTTP server: how it starts, and how it stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from watcher.engine.runtime import Log
from watcher.server.connections import LONGEST_HEAD, BoundedProtocol, Bounds, Connections, affordable_bounds
from watcher.server.listening import BACKLOG, Listen, listening

ANSWERS_PER_CONNECTION = 2
"""Answers go on after their connections have ended: as many times as there may be connections is enough."""


@asynccontextmanager
async def serving(app: ASGIApp, listen: Listen, log: Log, bounds: Bounds | None = None) -> AsyncIterator[Listen]:
    """Serve the application; yields where, with the port that was chosen. Raises ConfigurationError."""
    bounds = bounds or affordable_bounds()
    with listening(listen) as sockets:
        server = _Server(_config(app, Connections(bounds, log)))
        running = asyncio.create_task(server.serve(sockets=sockets))
        try:
            await _started(server, running)
            bound = listen if listen.path else Listen(listen.host, sockets[0].getsockname()[1])
            log.info("serving HTTP", listen=str(bound))
            yield bound
        finally:
            server.should_exit = True
            # uvicorn keeps to the same bound, and needs a moment more to close what it then gives up.
            await asyncio.wait([running], timeout=bounds.stop_seconds + 1)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


class _Server(uvicorn.Server):
    """A server without an eye on signals: the service owns them."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def _config(app: ASGIApp, connections: Connections) -> uvicorn.Config:
    bounds = connections.bounds
    return uvicorn.Config(
        app,
        http=partial(BoundedProtocol, connections),  # type: ignore[arg-type] # it is only called
        h11_max_incomplete_event_size=LONGEST_HEAD,
        backlog=BACKLOG,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=logging.ERROR,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=ANSWERS_PER_CONNECTION * bounds.connections,
        timeout_keep_alive=bounds.idle_seconds,
        timeout_graceful_shutdown=bounds.stop_seconds,
    )


async def _started(server: uvicorn.Server, running: asyncio.Task[None]) -> None:
    while not server.started:
        if running.done():
            await running
            raise AssertionError("a server that was not told to stop goes on")
        await asyncio.sleep(0.005)
