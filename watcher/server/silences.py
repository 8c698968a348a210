"""Silences over HTTP: which are in force, a new one, and the end of one."""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from watcher.domain.silences import silence_row
from watcher.domain.text import excerpt
from watcher.server.auth import user_of
from watcher.server.context import ServerContext
from watcher.server.parsing import LONGEST_ECHO, NUMBER_CURSOR_PATTERN, no_query, read_json, read_silence
from watcher.server.problems import Problem


class Silences:
    """What is muted, and until when."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context

    async def all(self, request: Request) -> Response:
        """Show the silences in force, the newest first."""
        no_query(request)
        now = self._context.clock()
        found = await self._context.store.silences(ending_after=now)
        return JSONResponse({"data": [silence_row(silence, now) for silence in found]})

    async def add(self, request: Request) -> Response:
        """Mute what has labels, or is of a source, from now on."""
        no_query(request)
        document, now = await read_json(request, self._context.body_timeout), self._context.clock()
        wanted = replace(read_silence(document, self._context, now), created_by=user_of(request.scope))
        made = await self._context.store.add_silence(wanted, now)
        self._context.log.info("silence added over HTTP", silence=made.name, until=made.until.isoformat())
        where = {"Location": f"/api/v1/silences/{made.name}"}
        return JSONResponse(silence_row(made, now), HTTPStatus.CREATED, where)

    async def expire(self, request: Request) -> Response:
        """End a silence now."""
        no_query(request)
        given = request.path_params["id"]
        is_number = re.fullmatch(NUMBER_CURSOR_PATTERN, given) is not None
        if not is_number or not await self._context.store.expire_silence(int(given), self._context.clock()):
            raise Problem(HTTPStatus.NOT_FOUND, f"Silence {excerpt(given, LONGEST_ECHO)} is not in force.")
        self._context.log.info("silence ended over HTTP", silence=given)
        return Response(status_code=HTTPStatus.NO_CONTENT)
