"""Which page answers at which path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from watcher.curves.picture import curve_png, curve_svg
from watcher.domain.deliveries import DeliveryState
from watcher.domain.job_filter import JobFilter
from watcher.domain.jobs import is_plain
from watcher.domain.states import JobState
from watcher.domain.telemetry import MetricPoint
from watcher.server.context import ServerContext
from watcher.server.page.actions import NOTICES, Actions
from watcher.server.page.badge import badge
from watcher.server.page.headers import HEADERS
from watcher.server.page.job import job_page
from watcher.server.page.overview import overview
from watcher.server.page.silence_form import read_label
from watcher.server.page.templates import render
from watcher.server.parsing import DELIVERIES_QUERY, after_job, no_query, not_watched, read_key, read_query, source_name
from watcher.server.problems import Problem

DELIVERIES_SHOWN = 50
MUTED_SHOWN = 20
FEED_LENGTH = 50
"""Transitions in the feed."""

_NOTHING_DRAWN = Problem(HTTPStatus.NOT_FOUND, "Nothing was measured of this job that could be drawn.")


def _state(text: str) -> JobState:
    try:
        return JobState(text)
    except ValueError:
        raise ValueError(f"expected one of: {', '.join(JobState)}") from None


def _text(text: str) -> str:
    if not is_plain(text):
        raise ValueError("expected a part of an id or of a name")
    return text


OVERVIEW_QUERY: Mapping[str, Callable[[str], Any]] = {
    "source": source_name,
    "state": _state,
    "label": read_label,
    "q": _text,
    "after": after_job,
}
_NOTICE: Mapping[str, Callable[[str], Any]] = {"done": str}


class Pages:
    """Reads what a page shows, and renders it."""

    def __init__(self, context: ServerContext, actions: Actions, *, may_change: bool) -> None:
        self._context = context
        self._actions = actions
        self._may_change = may_change

    async def overview(self, request: Request) -> str:
        """Show all jobs, or those that pass a filter."""
        # A form sends its empty fields as well.
        query = read_query(request, OVERVIEW_QUERY, ignore_empty=True)
        wanted = JobFilter(query.get("source"), query.get("state"), query.get("label"), query.get("q"))
        shown = await overview(self._context, wanted, query.get("after"))
        return self._render("overview.html", shown)

    async def job(self, request: Request) -> str:
        """Show one job."""
        no_query(request)
        return self._render("job.html", await job_page(self._context, read_key(request)))

    async def deliveries(self, request: Request) -> str:
        """Show what is owed, and what is dead; or the deliveries in a state."""
        query = read_query(request, {**DELIVERIES_QUERY, **_NOTICE}, ignore_empty=True)
        states = [query["state"]] if "state" in query else [DeliveryState.PENDING, DeliveryState.DEAD]
        found = await self._context.store.deliveries(
            states=states, notifier=query.get("notifier"), limit=DELIVERIES_SHOWN + 1, before=query.get("after")
        )
        shown = found[:DELIVERIES_SHOWN]
        following = shown[-1].id if len(found) > len(shown) else None
        owed = await self._context.store.pending_deliveries()
        return self._render(
            "deliveries.html",
            {
                "now": self._context.clock(),
                "deliveries": shown,
                "states": tuple(DeliveryState),
                "state": query.get("state"),
                "notifier": query.get("notifier"),
                "following": following,
                "owed": sum(each.count for each in owed.values()),
                "notice": NOTICES.get(query.get("done", "")),
                "headline": "Deliveries",
            },
        )

    async def notifiers(self, request: Request) -> str:
        """Show how each notifier's receiver has been answering."""
        no_query(request)
        shown = {
            "now": self._context.clock(),
            "receivers": self._context.health().receivers,
            "owed": await self._context.store.pending_deliveries(),
            "tests": self._actions.tests,
            "headline": "Notifiers",
        }
        return self._render("notifiers.html", shown)

    async def silences(self, request: Request) -> str:
        """Show what is muted, and what a silence has muted lately."""
        query = read_query(request, _NOTICE)
        now, store = self._context.clock(), self._context.store
        shown = {
            "now": now,
            "silences": await store.silences(ending_after=now),
            "muted": await store.deliveries(states=[DeliveryState.MUTED], limit=MUTED_SHOWN),
            "sources": sorted(self._context.health().last_answers),
            "notice": NOTICES.get(query.get("done", "")),
            "headline": "Silences",
        }
        return self._render("silences.html", shown)

    async def sources(self, request: Request) -> str:
        """Show how each source has been answering."""
        no_query(request)
        health, counts = self._context.health(), await self._context.store.job_counts()
        jobs: dict[str, int] = {}
        for (source, _), count in counts.items():
            jobs[source] = jobs.get(source, 0) + count
        policies = {each.name: self._context.polling_policy(each.name) for each in health.sources}
        shown = {
            "now": self._context.clock(),
            "health": health,
            "jobs": jobs,
            "policies": policies,
            "budgets": {each.name: self._context.budget(each.name) for each in health.sources},
            "requests": {each.name: self._context.requests(each.name) for each in health.sources},
            "headline": "Sources",
        }
        return self._render("sources.html", shown)

    async def badge(self, request: Request) -> Response:
        """Draw how a job stands."""
        no_query(request)
        key = read_key(request)
        job = await self._context.store.job(key, include_removed=False)
        if job is None:
            raise not_watched(key)
        return Response(badge(job), headers=HEADERS, media_type="image/svg+xml")

    async def feed(self, request: Request) -> Response:
        """List the newest transitions for a feed reader."""
        no_query(request)
        transitions = await self._context.store.views.newest_transitions(FEED_LENGTH)
        updated = transitions[0].observed_at if transitions else self._context.clock()
        base = str(request.base_url).rstrip("/")
        text = render("feed.atom", transitions=transitions, updated=updated.isoformat(), base=base)
        return Response(text, headers=HEADERS, media_type="application/atom+xml")

    async def curve_svg(self, request: Request) -> Response:
        """Draw how a job trains."""
        drawing = curve_svg(await self._points(request))
        if drawing is None:
            raise _NOTHING_DRAWN
        return Response(drawing, headers=HEADERS, media_type="image/svg+xml")

    async def curve_png(self, request: Request) -> Response:
        """Draw the same for whoever shows no SVG."""
        picture = await asyncio.to_thread(curve_png, await self._points(request))
        if picture is None:
            raise _NOTHING_DRAWN
        return Response(picture, headers=HEADERS, media_type="image/png")

    async def _points(self, request: Request) -> Sequence[MetricPoint]:
        no_query(request)
        key = read_key(request)
        if await self._context.store.job(key, include_removed=False) is None:
            raise not_watched(key)
        return await self._context.store.metric_points(key)

    def _render(self, template: str, shown: Mapping[str, Any]) -> str:
        return render(template, **shown, may_change=self._may_change)
