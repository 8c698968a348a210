"""The paths of the page, and what answers there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from watcher.server.context import ServerContext
from watcher.server.page.actions import Actions
from watcher.server.page.answers import failed
from watcher.server.page.assets import asset
from watcher.server.page.pages import Pages
from watcher.server.page.templates import render
from watcher.server.problems import Problem

Answer = Callable[[Request], Awaitable[Response]]


def page_routes(context: ServerContext, *, may_change: bool) -> Mapping[str, Mapping[str, Answer]]:
    """Return what answers at each path, by method."""
    actions = Actions(context)
    pages = Pages(context, actions, may_change=may_change)
    return {
        "/": {"GET": pages.overview},
        "/jobs/{source}/{id:path}": {"GET": pages.job},
        "/deliveries": {"GET": pages.deliveries, "POST": actions.deliveries},
        "/notifiers": {"GET": pages.notifiers, "POST": actions.test},
        "/sources": {"GET": pages.sources},
        "/feed.atom": {"GET": pages.feed},
        "/badge/{source}/{id:path}.svg": {"GET": pages.badge},
        "/static/{name}": {"GET": asset},
    }


def problem_page(problem: Problem) -> Response:
    """Return the page that tells of a problem."""
    html = render("problem.html", headline=problem.status.phrase, detail=problem.detail, mistakes=problem.mistakes)
    return failed(html, problem.status)
