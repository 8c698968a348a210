"""The query and the body of requests, read strictly, with all mistakes reported together."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, NoReturn, cast
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from watcher.domain.deliveries import DeliveryState
from watcher.domain.jobs import (
    ID_PATTERN,
    ID_RULE,
    SOURCE_NAME_PATTERN,
    TEXT_RULE,
    JobKey,
    JobSpec,
    is_job_id,
    is_plain,
)
from watcher.domain.silences import LONGEST_SILENCE, Silence
from watcher.domain.text import excerpt
from watcher.errors import ConfigurationError
from watcher.server.context import ServerContext
from watcher.server.problems import Mistake, Problem, refuse

LONGEST_PAGE = 1000
USUAL_PAGE = 100
MOST_PARAMETERS = 32
"""Parameters of one query; no resource knows more than a handful."""
LONGEST_ECHO = 60
"""Characters of what was given that an answer repeats."""
BODY_LIMIT = 64 * 1024
"""Bytes of a request's body."""

NAME_PATTERN = f"^{SOURCE_NAME_PATTERN}$"
"""What sources and notifiers can be called."""
JOB_CURSOR_PATTERN = f"^{SOURCE_NAME_PATTERN}/{ID_PATTERN}$"
NUMBER_CURSOR_PATTERN = "^[0-9]{1,18}$"


def _limit(text: str) -> int:
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= LONGEST_PAGE:
        raise ValueError(f"expected a number from 1 to {LONGEST_PAGE}")
    return int(text)


def source_name(text: str) -> str:
    """Read the name of a source or a notifier. Raises ValueError."""
    return _matching(NAME_PATTERN, text, "expected a name of 1 to 64 of the characters a-z 0-9 _ -")


def _status(text: str) -> str:
    if not is_plain(text):
        raise ValueError(f"expected a status: {TEXT_RULE}")
    return text


def _state(text: str) -> DeliveryState:
    try:
        return DeliveryState(text)
    except ValueError:
        raise ValueError(f"expected one of: {', '.join(DeliveryState)}") from None


def after_job(text: str) -> JobKey:
    """Read the cursor of a page of jobs. Raises ValueError."""
    source, _, job_id = _matching(JOB_CURSOR_PATTERN, text, "expected the `next` of the page before").partition("/")
    return JobKey(source, job_id)


def _number(text: str) -> int:
    return int(_matching(NUMBER_CURSOR_PATTERN, text, "expected the `next` of the page before"))


HISTORY_QUERY: Mapping[str, Callable[[str], Any]] = {"limit": _limit, "after": _number}
JOBS_QUERY: Mapping[str, Callable[[str], Any]] = {
    "limit": _limit,
    "after": after_job,
    "source": source_name,
    "status": _status,
}
DELIVERIES_QUERY: Mapping[str, Callable[[str], Any]] = {
    "limit": _limit,
    "after": _number,
    "state": _state,
    "notifier": source_name,
}


def read_query(
    request: Request, known: Mapping[str, Callable[[str], Any]], *, ignore_empty: bool = False
) -> dict[str, Any]:
    """Read the parameters of a query; `limit` always has a value.

    With `ignore_empty`, a parameter without a value counts as not given: forms send their empty fields. Raises Problem.
    """
    given = [(name, text) for name, text in _parameters(request) if text or not ignore_empty]
    how_often = Counter(name for name, _ in given)
    values: dict[str, Any] = {"limit": USUAL_PAGE}
    mistakes: list[Mistake] = []
    for name, text in dict(given).items():
        if name not in known:
            mistakes.append(Mistake(excerpt(name, LONGEST_ECHO), f"unknown; there are: {', '.join(known) or 'none'}"))
        elif how_often[name] > 1:
            mistakes.append(Mistake(name, "given more than once"))
        else:
            _read(mistakes, values, name, partial(known[name], text))
    refuse(mistakes)
    return values


def no_query(request: Request) -> None:
    """Refuse any parameter. Raises Problem."""
    read_query(request, {})


def read_key(request: Request) -> JobKey:
    """Read from the path which job is meant. Raises Problem where none can be."""
    key = JobKey(request.path_params["source"], request.path_params["id"])
    if not re.fullmatch(NAME_PATTERN, key.source) or not is_job_id(key.id):
        raise not_watched(key)
    return key


def not_watched(key: JobKey) -> Problem:
    """Return the problem of a job that is not there."""
    return Problem(HTTPStatus.NOT_FOUND, f"{excerpt(str(key), LONGEST_ECHO)} is not watched.")


async def read_body(request: Request, timeout: timedelta) -> bytes:  # noqa: ASYNC109 - it becomes an answer
    """Read a body that is not too large and arrives in time. Raises Problem."""
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            return await _read_body(request)
    except (TimeoutError, ClientDisconnect):
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, "The body did not arrive in time.") from None


async def read_json(request: Request, timeout: timedelta) -> object:  # noqa: ASYNC109 - it becomes an answer
    """Read a body that is JSON and arrives in time. Raises Problem."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json.")
    body = await read_body(request, timeout)
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Problem(HTTPStatus.BAD_REQUEST, "The body is not JSON.") from None


def read_spec(document: object, context: ServerContext) -> JobSpec:
    """Read what job to watch, at one of the sources that are polled. Raises Problem."""
    if not isinstance(document, dict):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The body must be an object.")
    known = ("id", "source", "name", "labels")
    why = f"unknown; there are: {', '.join(known)}"
    mistakes = [Mistake(f"/{excerpt(key, LONGEST_ECHO)}", why) for key in document if key not in known]
    values: dict[str, Any] = {}
    _read(mistakes, values, "/id", lambda: _job_id(document.get("id")))
    sources = context.health().last_answers
    if "source" in document:
        _read(mistakes, values, "/source", lambda: _source(document["source"], sources))
    _read(mistakes, values, "/name", lambda: _job_name(document.get("name")))
    labels = _labels(mistakes, document.get("labels", {}))
    refuse(mistakes)
    found = _found(context, values.get("/source"), values["/id"])
    _read(mistakes, values, "/source", lambda: _source(found.key.source, sources))
    refuse(mistakes)
    return JobSpec(found.key, values["/name"] or found.name, {**found.labels, **labels})


def read_silence(document: object, context: ServerContext, now: datetime) -> Silence:
    """Read what to mute, and for how long. Raises Problem."""
    if not isinstance(document, dict):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The body must be an object.")
    known = ("for_seconds", "labels", "source", "all", "reason")
    why = f"unknown; there are: {', '.join(known)}"
    mistakes = [Mistake(f"/{excerpt(key, LONGEST_ECHO)}", why) for key in document if key not in known]
    values: dict[str, Any] = {"/source": None}
    _read(mistakes, values, "/for_seconds", lambda: _lasting(document.get("for_seconds")))
    if document.get("source") is not None:
        _read(mistakes, values, "/source", lambda: _source(document["source"], context.health().last_answers))
    _read(mistakes, values, "/reason", lambda: _job_name(document.get("reason")))
    labels = _labels(mistakes, document.get("labels", {}))
    is_all = document.get("all", False)
    if not isinstance(is_all, bool) or is_all == bool(labels or document.get("source") is not None):
        mistakes.append(Mistake("/all", "expected true without labels and source, which would mute everything"))
    refuse(mistakes)
    return Silence("new", now + values["/for_seconds"], labels, values["/source"], values["/reason"])


def _lasting(value: object) -> timedelta:
    longest = int(LONGEST_SILENCE.total_seconds())
    is_whole = isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0
    if not is_whole or not 1 <= cast(float, value) <= longest:
        raise ValueError(f"expected a whole number of seconds from 1 to {longest}")
    return timedelta(seconds=cast(float, value))


def _found(context: ServerContext, source: str | None, job_id: str) -> JobSpec:
    try:
        return context.find_job(source, job_id)
    except ConfigurationError as error:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "The request has mistakes.", [Mistake("/id", str(error))]
        ) from None


def _parameters(request: Request) -> Sequence[tuple[str, str]]:
    query = request.scope["query_string"].decode("latin-1")
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"The query has more than {MOST_PARAMETERS} parameters."
        ) from None


def _read(mistakes: list[Mistake], values: dict[str, Any], where: str, reader: Callable[[], object]) -> None:
    try:
        values[where] = reader()
    except ValueError as error:
        mistakes.append(Mistake(where, str(error)))


def _matching(pattern: str, text: str, rule: str) -> str:
    if not re.fullmatch(pattern, text):
        raise ValueError(rule)
    return text


def _job_id(value: object) -> str:
    if not isinstance(value, str) or not is_job_id(value):
        raise ValueError(f"expected a job id: {ID_RULE}")
    return value


def _source(value: object, sources: Collection[str]) -> str:
    if not isinstance(value, str) or value not in sources:
        raise ValueError(f"expected the name of a source; there are: {', '.join(sorted(sources)) or 'none'}")
    return value


def _job_name(value: object) -> str | None:
    if value is not None and not (isinstance(value, str) and is_plain(value)):
        raise ValueError(f"expected {TEXT_RULE}, or null")
    return value


def _labels(mistakes: list[Mistake], value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        mistakes.append(Mistake("/labels", "expected an object of texts"))
        return {}
    for name, text in value.items():
        if not is_plain(name) or not isinstance(text, str) or not is_plain(text):
            where = f"/labels/{excerpt(name, LONGEST_ECHO)}"
            mistakes.append(Mistake(where, f"expected a name and a text, each of {TEXT_RULE}"))
    return value


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_LIMIT:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {BODY_LIMIT:,} bytes.")
    return bytes(body)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
