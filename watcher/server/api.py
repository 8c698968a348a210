"""The pages: what is watched, what is owed, and whether all goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from watcher.domain.deliveries import Delivery, DeliveryState
from watcher.domain.durations import format_duration
from watcher.domain.jobs import Job, JobKey, completed
from watcher.domain.overview import Row, delivery_row, history_rows, job_row
from watcher.errors import StoreError
from watcher.server.context import HealthSnapshot, ServerContext
from watcher.server.parsing import (
    DELIVERIES_QUERY,
    JOBS_QUERY,
    no_query,
    not_watched,
    read_json,
    read_key,
    read_query,
    read_spec,
)

WAITS_OF_SILENCE = 3
"""A watcher that polls and has had no answer for so many of the longest waits sees nothing."""
STORE_PATIENCE = timedelta(seconds=3)
"""How long the record may take to answer a probe; what asks for probes often waits no longer than some seconds."""


class Probes:
    """Whether the service lives, and whether it does what it is for."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context

    async def live(self, _request: Request) -> Response:
        """Say whether the loops turn."""
        stalled = list(self._context.health().stalled)
        body = {"status": "stalled" if stalled else "alive", "stalled": stalled}
        return JSONResponse(body, HTTPStatus.SERVICE_UNAVAILABLE if stalled else HTTPStatus.OK)

    async def ready(self, _request: Request) -> Response:
        """Say whether the record can be reached, and whether any source answers."""
        faults = {"store": await self._store_fault(), "sources": self._source_fault(self._context.health())}
        is_ready = not any(faults.values())
        checks = {name: fault or "ok" for name, fault in faults.items()}
        body = {"status": "ready" if is_ready else "not ready", "checks": checks}
        return JSONResponse(body, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)

    async def _store_fault(self) -> str | None:
        # A probe answers anybody, so it says what failed and not where.
        try:
            async with asyncio.timeout(STORE_PATIENCE.total_seconds()):
                await self._context.record.page_of_jobs(limit=1)
        except StoreError:
            return "the record cannot be read"
        except TimeoutError:
            return "the record does not answer in time"
        return None

    def _source_fault(self, health: HealthSnapshot) -> str | None:
        horizon = self._context.clock() - WAITS_OF_SILENCE * health.longest_wait
        signs = [health.since, *(answer for answer in health.last_answers.values() if answer)]
        if not health.watched or any(sign >= horizon for sign in signs):
            return None
        return f"no source has answered within {format_duration(WAITS_OF_SILENCE * health.longest_wait)}"


class Jobs:
    """The watched jobs."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context

    async def page(self, request: Request) -> Response:
        """Show a page of the watched jobs, by source and id."""
        query = read_query(request, JOBS_QUERY)
        jobs = await self._context.record.page_of_jobs(**{**query, "limit": query["limit"] + 1})
        shown, now = jobs[: query["limit"]], self._context.clock()
        following = str(shown[-1].key) if len(jobs) > len(shown) else None
        return _page([_job_row(job, now) for job in shown], following)

    async def add(self, request: Request) -> Response:
        """Watch a job; one that has ended is asked for once more."""
        no_query(request)
        spec = read_spec(await read_json(request), self._context.health().last_answers)
        now = self._context.clock()
        spec = completed(spec, await self._context.record.job(spec.key))
        result = await self._context.record.upsert_jobs([spec], now, ask_again=True)
        job = await self._context.record.job(spec.key) or Job(spec.key, spec.name, spec.labels)
        self._context.log.info("job added over HTTP", job=str(spec.key))
        status = HTTPStatus.CREATED if result.added else HTTPStatus.OK
        return JSONResponse(_job_row(job, now), status, {"Location": _path(spec.key)})

    async def one(self, request: Request) -> Response:
        """Show a watched job, with its history."""
        no_query(request)
        key = read_key(request)
        job = await self._context.record.job(key, include_removed=False)
        if job is None:
            raise not_watched(key)
        now = self._context.clock()
        history = history_rows(await self._context.record.history(key), now)
        return JSONResponse({**_job_row(job, now), "history": history})

    async def remove(self, request: Request) -> Response:
        """Watch a job no more."""
        no_query(request)
        key = read_key(request)
        if not await self._context.record.remove_job(key, self._context.clock()):
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
        found = await self._context.record.deliveries(
            states=[query["state"]] if "state" in query else None,
            notifier=query.get("notifier"),
            limit=limit + 1,
            before=query.get("after"),
        )
        shown, now, notifiers = found[:limit], self._context.clock(), self._context.health().notifiers
        following = str(shown[-1].id) if len(found) > limit else None
        rows = [{**delivery_row(each, now, notifiers), **_times(each)} for each in shown]
        return _page(rows, following)


def _page(rows: Sequence[Row], following: str | None) -> Response:
    return JSONResponse({"data": rows, "next": following})


def _job_row(job: Job, now: datetime) -> Row:
    """Show a job as the commands do, with the times for programs."""
    return {**job_row(job, now), "status_since": _at(job.status_since), "next_poll_at": _at(job.due_at)}


def _times(delivery: Delivery) -> Row:
    is_pending = delivery.state is DeliveryState.PENDING
    return {
        "next_attempt_at": _at(delivery.next_at) if is_pending else None,
        "settled_at": _at(delivery.settled_at),
    }


def _at(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None


def _path(key: JobKey) -> str:
    return f"/api/v1/jobs/{quote(key.source)}/{quote(key.id, safe='')}"
