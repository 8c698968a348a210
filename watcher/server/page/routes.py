"""The paths of the page, and what answers there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC

from starlette.requests import Request
from starlette.responses import Response

from watcher.server.context import ServerContext
from watcher.server.page.actions import Actions
from watcher.server.page.assets import asset
from watcher.server.page.headers import failed, fresh
from watcher.server.page.page_cache import SharedPages
from watcher.server.page.pages import Pages
from watcher.server.page.templates import render
from watcher.server.problems import Problem

Answer = Callable[[Request], Awaitable[Response]]


def page_routes(context: ServerContext, *, may_change: bool) -> Mapping[str, Mapping[str, Answer]]:
    """Return what answers at each path, by method."""
    shared = SharedPages(context.page_age, lambda: f"{context.clock().astimezone(UTC):%H:%M:%S}Z")
    actions = Actions(context, shared.clear)
    pages = Pages(context, actions, may_change=may_change)

    def live(page: Callable[[Request], Awaitable[str]]) -> Answer:
        async def answer(request: Request) -> Response:
            address = f"{request.url.path}?{request.url.query}"
            return fresh(request, await shared.get(address, lambda: page(request)))

        return answer

    return {
        "/": {"GET": live(pages.overview)},
        "/jobs/{source}/{id:path}/curve.svg": {"GET": pages.curve_svg},
        "/jobs/{source}/{id:path}/curve.png": {"GET": pages.curve_png},
        "/jobs/{source}/{id:path}": {"GET": live(pages.job)},
        "/deliveries": {"GET": live(pages.deliveries), "POST": actions.deliveries},
        "/notifiers": {"GET": live(pages.notifiers), "POST": actions.test},
        "/silences": {"GET": live(pages.silences), "POST": actions.silences},
        "/sources": {"GET": live(pages.sources)},
        "/feed.atom": {"GET": pages.feed},
        "/badge/{source}/{id:path}.svg": {"GET": pages.badge},
        "/static/{name}": {"GET": asset},
    }


def problem_page(problem: Problem) -> Response:
    """Return the page that tells of a problem."""
    html = render("problem.html", headline=problem.status.phrase, detail=problem.detail, mistakes=problem.mistakes)
    return failed(html, problem.status)
