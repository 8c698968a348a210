"""The application: which page answers what, who may ask, and how faults are told."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from watcher.errors import StoreError
from watcher.server.api import Deliveries, Jobs, Probes
from watcher.server.context import ServerContext
from watcher.server.metrics import CONTENT_TYPE, PrometheusTelemetry
from watcher.server.openapi import document
from watcher.server.problems import CHALLENGE, Problem, of_routing, problem_response

PROBES = frozenset({"/livez", "/readyz"})
"""What anybody may ask for."""
_CHANGES = frozenset({"POST", "DELETE"})

Page = Callable[[Request], Awaitable[Response]]


def make_app(context: ServerContext, telemetry: PrometheusTelemetry, token: str | None) -> Starlette:
    """Make the application. Without a token anybody who can connect may read, and nobody may change anything."""
    probes, jobs, deliveries = Probes(context), Jobs(context), Deliveries(context)

    async def metrics(_request: Request) -> Response:
        return Response(await telemetry.exposition(context), headers={"content-type": CONTENT_TYPE})

    async def description(_request: Request) -> Response:
        return JSONResponse(document(context.version, context.health().last_answers, has_token=token is not None))

    def at(path: str, **pages: Page) -> Route:
        return Route(path, _Resource(context, pages, may_change=token is not None).answer, methods=list(pages))

    app = Starlette(
        routes=[
            at("/livez", GET=probes.live),
            at("/readyz", GET=probes.ready),
            at("/metrics", GET=metrics),
            at("/openapi.json", GET=description),
            at("/api/v1/jobs", GET=jobs.page, POST=jobs.add),
            at("/api/v1/jobs/{source}/{id}", GET=jobs.one, DELETE=jobs.remove),
            at("/api/v1/deliveries", GET=deliveries.page),
        ],
        middleware=[Middleware(_Guard, token=token)],
        exception_handlers={HTTPException: of_routing},
    )
    app.router.redirect_slashes = False  # a redirect would repeat whatever name of a host was asked for
    return app


class _Resource:
    """The pages of one path, by method."""

    def __init__(self, context: ServerContext, pages: dict[str, Page], *, may_change: bool) -> None:
        self._log = context.log
        self._pages = pages
        self._may_change = may_change

    async def answer(self, request: Request) -> Response:
        """Let the page answer; whatever goes wrong is told as a problem."""
        try:
            return await self._page(request)(request)
        except Problem as problem:
            return problem_response(problem)
        except StoreError as error:
            return problem_response(Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error)))
        except Exception:  # noqa: BLE001 - a fault of ours must not show its inside to who asked; the log has it
            self._log.exception("page failed", path=request.url.path)
            return problem_response(
                Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "The watcher made a mistake; its log says more.")
            )

    def _page(self, request: Request) -> Page:
        if request.method in _CHANGES and not self._may_change:
            raise Problem(HTTPStatus.FORBIDDEN, "Changes need a token, and none is configured: see http.token.")
        return self._pages["GET" if request.method == "HEAD" else request.method]


class _Guard:
    """Lets in who has the token, and anybody to the probes."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._expected = token.encode() if token is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in PROBES or self._is_admitted(scope):
            await self._app(scope, receive, send)
            return
        problem = Problem(HTTPStatus.UNAUTHORIZED, "Send the token: Authorization: Bearer …", headers=CHALLENGE)
        await problem_response(problem)(scope, receive, send)

    def _is_admitted(self, scope: Scope) -> bool:
        if self._expected is None:
            return True
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            return False
        scheme, _, token = given[0].partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(b" "), self._expected)
