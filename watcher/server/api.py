"""The API: the watched jobs and the deliveries, to read and to change."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from watcher.domain.jobs import API, Job, JobKey, completed
from watcher.domain.overview import Row, delivery_row, history_rows, job_row
from watcher.domain.telemetry import point_row
from watcher.server.context import ServerContext
from watcher.server.parsing import (
    DELIVERIES_QUERY,
    HISTORY_QUERY,
    JOBS_QUERY,
    no_query,
    not_watched,
    read_json,
    read_key,
    read_query,
    read_spec,
)


class Jobs:
    """The watched jobs."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context

    async def page(self, request: Request) -> Response:
        """Show a page of the watched jobs, by source and id."""
        query = read_query(request, JOBS_QUERY)
        jobs = await self._context.store.page_of_jobs(**{**query, "limit": query["limit"] + 1})
        shown, now = jobs[: query["limit"]], self._context.clock()
        following = str(shown[-1].key) if len(jobs) > len(shown) else None
        return _page([job_row(job, now) for job in shown], following)

    async def add(self, request: Request) -> Response:
        """Watch a job; one that has ended is asked for once more."""
        no_query(request)
        spec = read_spec(await read_json(request, self._context.body_timeout), self._context)
        now = self._context.clock()
        spec = completed(spec, await self._context.store.job(spec.key))
        result = await self._context.store.upsert_jobs([spec], now, ask_again=True, origin=API)
        job = await self._context.store.job(spec.key) or Job(spec.key, spec.name, spec.labels)
        self._context.log.info("job added over HTTP", job=str(spec.key))
        status = HTTPStatus.CREATED if result.added else HTTPStatus.OK
        return JSONResponse(job_row(job, now), status, {"Location": _path(spec.key)})

    async def one(self, request: Request) -> Response:
        """Show a watched job, with a page of its history, the newest transition first."""
        query, key = read_query(request, HISTORY_QUERY), read_key(request)
        job = await self._context.store.job(key, include_removed=False)
        if job is None:
            raise not_watched(key)
        rows, following = await self._history(key, query["limit"], query.get("after"))
        measured = await self._context.store.last_points(key)
        row = job_row(job, self._context.clock()) | {"metrics": list(map(point_row, measured))}
        return JSONResponse({**row, "history": rows, "next": following})

    async def metrics(self, request: Request) -> Response:
        """Show what has been measured of a watched job: every point that is kept, by series and step."""
        no_query(request)
        key = read_key(request)
        if await self._context.store.job(key, include_removed=False) is None:
            raise not_watched(key)
        return JSONResponse({"data": [point_row(point) for point in await self._context.store.metric_points(key)]})

    async def _history(self, key: JobKey, limit: int, after: int | None) -> tuple[Sequence[Row], str | None]:
        """Return a page of transitions as rows, and the cursor of the next one."""
        # With the last one of the page before, which tells how long the first of this one lasted.
        found = await self._context.store.latest_transitions(key, limit + 2, None if after is None else after + 1)
        later = found[0] if after is not None and found and found[0].seq == after else None
        left = found[1:] if later else found
        shown = left[:limit]
        following = str(shown[-1].seq) if len(left) > len(shown) else None
        return history_rows(shown, self._context.clock(), later), following

    async def remove(self, request: Request) -> Response:
        """Stop watching a job."""
        no_query(request)
        key = read_key(request)
        if not await self._context.store.remove_job(key, self._context.clock()):
            raise not_watched(key)
        self._context.log.info("job removed over HTTP", job=str(key))
        return Response(status_code=HTTPStatus.NO_CONTENT)


class Deliveries:
    """What is, or was, owed to notifiers."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context

    async def page(self, request: Request) -> Response:
        """Show a page of deliveries, the newest first."""
        query = read_query(request, DELIVERIES_QUERY)
        limit = query["limit"]
        found = await self._context.store.deliveries(
            states=[query["state"]] if "state" in query else None,
            notifier=query.get("notifier"),
            limit=limit + 1,
            before=query.get("after"),
        )
        shown, now, notifiers = found[:limit], self._context.clock(), self._context.health().notifiers
        following = str(shown[-1].id) if len(found) > limit else None
        return _page([delivery_row(each, now, notifiers) for each in shown], following)


def _page(rows: Sequence[Row], following: str | None) -> Response:
    return JSONResponse({"data": rows, "next": following})


def _path(key: JobKey) -> str:
    return f"/api/v1/jobs/{quote(key.source)}/{quote(key.id, safe='')}"
