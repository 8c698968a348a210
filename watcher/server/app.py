"""The application: which resource answers at which path, authorisation, and errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from watcher.engine.runtime import Log
from watcher.errors import StoreError
from watcher.server.api import Deliveries, Jobs
from watcher.server.auth import HOOKS_PATH, PROBES, TokenGuard
from watcher.server.context import ServerContext
from watcher.server.hosts import HostGuard
from watcher.server.metrics import CONTENT_TYPE, PrometheusTelemetry
from watcher.server.openapi import document
from watcher.server.page.routes import page_routes, problem_page
from watcher.server.probes import Probes
from watcher.server.problems import Problem, of_routing, problem_response
from watcher.server.silences import Silences
from watcher.server.webhooks import Webhooks

_CHANGES = frozenset({"POST", "DELETE"})

CONCURRENT_ANSWERS = 4
"""Requests that are worked on at once, besides the probes: the store has one thread, and polling needs it too."""

Answer = Callable[[Request], Awaitable[Response]]
Tell = Callable[[Problem], Response]
"""Makes of a problem the answer that tells of it."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask for more than the probes."""

    token: str | None = None
    """Without one, every client may read, and none may change anything."""
    hosts: Collection[str] | None = None
    """The names that requests may call this host by, besides `localhost` and addresses; None: any."""
    user_header: str | None = None
    """The header in which a proxy on this host names the user, who then needs no token; None: there is none."""


def make_app(context: ServerContext, telemetry: PrometheusTelemetry, access: Access) -> Starlette:
    """Make the application."""
    probes, jobs, deliveries = Probes(context), Jobs(context), Deliveries(context)
    silences, webhooks = Silences(context), Webhooks(context)
    has_token, turns = access.token is not None, asyncio.Semaphore(CONCURRENT_ANSWERS)
    hook_turns = asyncio.Semaphore(CONCURRENT_ANSWERS)
    may_change = has_token or access.user_header is not None
    pages = page_routes(context, may_change=may_change)

    async def metrics(_request: Request) -> Response:
        return Response(await telemetry.exposition(context), headers={"content-type": CONTENT_TYPE})

    async def description(_request: Request) -> Response:
        return JSONResponse(document(context.version, context.health().last_answers, has_token=has_token))

    def at(path: str, tell: Tell = problem_response, **answers: Answer) -> Route:
        # Webhooks have turns of their own: whoever knows no token must not keep those waiting who do.
        is_hook = path.startswith(HOOKS_PATH)
        turn = nullcontext() if path in PROBES else hook_turns if is_hook else turns
        resource = _Resource(context.log, answers, turn, tell, may_change=may_change or is_hook)
        return Route(path, resource.answer, methods=list(answers))

    app = Starlette(
        routes=[
            at("/livez", GET=probes.live),
            at("/readyz", GET=probes.ready),
            at("/metrics", GET=metrics),
            at("/openapi.json", GET=description),
            at("/api/v1/jobs", GET=jobs.page, POST=jobs.add),
            at("/api/v1/jobs/{source}/{id:path}", GET=jobs.one, DELETE=jobs.remove),
            at("/api/v1/metrics/{source}/{id:path}", GET=jobs.metrics),
            at("/api/v1/deliveries", GET=deliveries.page),
            at("/api/v1/silences", GET=silences.all, POST=silences.add),
            at("/api/v1/silences/{id}", DELETE=silences.expire),
            at(HOOKS_PATH + "{source}", POST=webhooks.take),
            *(at(path, problem_page, **answers) for path, answers in pages.items()),
        ],
        middleware=_guards(access),
        exception_handlers={HTTPException: of_routing},
    )
    app.router.redirect_slashes = False  # a redirect would repeat the host name of the request
    return app


def _guards(access: Access) -> list[Middleware]:
    token = Middleware(TokenGuard, token=access.token, user_header=access.user_header)
    return [token] if access.hosts is None else [Middleware(HostGuard, names=access.hosts), token]


class _Resource:
    """What answers at one path, by method."""

    def __init__(
        self,
        log: Log,
        answers: dict[str, Answer],
        turn: AbstractAsyncContextManager[Any],
        tell: Tell,
        *,
        may_change: bool,
    ) -> None:
        self._log = log
        self._answers = answers
        self._turn = turn
        self._tell = tell
        self._may_change = may_change

    async def answer(self, request: Request) -> Response:
        """Answer the request; every error becomes a problem document."""
        try:
            async with self._turn:
                return await self._answer(request)(request)
        except Problem as problem:
            return self._tell(problem)
        except StoreError as error:
            return self._tell(Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error)))
        except Exception:  # noqa: BLE001 - an internal error must not show its details to the client; the log has them
            self._log.exception("request failed with an internal error", path=request.url.path)
            return self._tell(
                Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "The watcher failed with an internal error; see its log.")
            )

    def _answer(self, request: Request) -> Answer:
        if request.method in _CHANGES and not self._may_change:
            raise Problem(HTTPStatus.FORBIDDEN, "Changes need a token, and none is configured: see http.token.")
        return self._answers["GET" if request.method == "HEAD" else request.method]
