"""What requests say: their query and their body, read strictly, with all mistakes told at once."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from watcher.domain.deliveries import DeliveryState
from watcher.domain.jobs import ID_RULE, JobKey, JobSpec, is_job_id
from watcher.domain.text import printable
from watcher.server.problems import Mistake, Problem, refuse

LONGEST_PAGE = 1000
USUAL_PAGE = 100
LONGEST_TEXT = 200
"""Characters of a status, a job's name, or a label's name or value."""
BODY_LIMIT = 64 * 1024
"""Bytes of a request's body."""
BODY_TIMEOUT = timedelta(seconds=10)
"""How long a body may take to arrive."""
USUAL_SOURCE = "openai"
"""The source of a job that is added without one, as everywhere else, unless another one is the only one."""

TEXT_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f]*$"
"""What a text may hold: no control characters."""
NAME_PATTERN = "^[a-z0-9_-]{1,64}$"
"""What sources and notifiers can be called."""
JOB_CURSOR_PATTERN = "^[a-z0-9_-]{1,64}/[A-Za-z0-9_.:-]{1,128}$"
DELIVERY_CURSOR_PATTERN = "^[0-9]{1,18}$"


def _limit(text: str) -> int:
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= LONGEST_PAGE:
        raise ValueError(f"expected a number from 1 to {LONGEST_PAGE}")
    return int(text)


def _name(text: str) -> str:
    return _matching(NAME_PATTERN, text, "expected a name of 1 to 64 of the characters a-z 0-9 _ -")


def _status(text: str) -> str:
    if not text or not _is_plain(text):
        raise ValueError(f"expected a status of 1 to {LONGEST_TEXT} characters, none of them controls")
    return text


def _state(text: str) -> DeliveryState:
    try:
        return DeliveryState(text)
    except ValueError:
        raise ValueError(f"expected one of: {', '.join(DeliveryState)}") from None


def _after_job(text: str) -> JobKey:
    source, _, job_id = _matching(JOB_CURSOR_PATTERN, text, "expected the `next` of the page before").partition("/")
    return JobKey(source, job_id)


def _before_delivery(text: str) -> int:
    return int(_matching(DELIVERY_CURSOR_PATTERN, text, "expected the `next` of the page before"))


JOBS_QUERY: Mapping[str, Callable[[str], Any]] = {
    "limit": _limit,
    "after": _after_job,
    "source": _name,
    "status": _status,
}
DELIVERIES_QUERY: Mapping[str, Callable[[str], Any]] = {
    "limit": _limit,
    "after": _before_delivery,
    "state": _state,
    "notifier": _name,
}


def read_query(request: Request, known: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """Read the parameters of a query; `limit` always has a value. Raises Problem."""
    values: dict[str, Any] = {"limit": USUAL_PAGE}
    mistakes: list[Mistake] = []
    for name in dict.fromkeys(request.query_params):
        given = request.query_params.getlist(name)
        if name not in known:
            mistakes.append(Mistake(printable(name), f"unknown; there are: {', '.join(known)}"))
        elif len(given) > 1:
            mistakes.append(Mistake(name, "given more than once"))
        else:
            _read(mistakes, values, name, partial(known[name], given[0]))
    refuse(mistakes)
    return values


def read_key(request: Request) -> JobKey:
    """Read from the path which job is meant. Raises Problem where none can be."""
    key = JobKey(request.path_params["source"], request.path_params["id"])
    if not re.fullmatch(NAME_PATTERN, key.source) or not is_job_id(key.id):
        raise not_watched(key)
    return key


def not_watched(key: JobKey) -> Problem:
    """Return the problem of a job that is not there."""
    return Problem(HTTPStatus.NOT_FOUND, f"{printable(str(key))} is not watched.")


def no_query(request: Request) -> None:
    """Refuse any parameter. Raises Problem."""
    refuse([Mistake(printable(name), "unknown; there are none here") for name in dict.fromkeys(request.query_params)])


async def read_json(request: Request) -> object:
    """Read a body that is JSON. Raises Problem."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json.")
    try:
        async with asyncio.timeout(BODY_TIMEOUT.total_seconds()):
            body = await _read_body(request)
    except (TimeoutError, ClientDisconnect):
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, "The body did not arrive in time.") from None
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Problem(HTTPStatus.BAD_REQUEST, "The body is not JSON.") from None


def read_spec(document: object, sources: Collection[str]) -> JobSpec:
    """Read what job to watch. Raises Problem."""
    if not isinstance(document, dict):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The body must be an object.")
    known = ("id", "source", "name", "labels")
    why = f"unknown; there are: {', '.join(known)}"
    mistakes = [Mistake(f"/{printable(key)}", why) for key in document if key not in known]
    values: dict[str, Any] = {}
    _read(mistakes, values, "/id", lambda: _job_id(document.get("id")))
    _read(mistakes, values, "/source", lambda: _source(document.get("source", _usual(sources)), sources))
    _read(mistakes, values, "/name", lambda: _job_name(document.get("name")))
    labels = _labels(mistakes, document.get("labels", {}))
    refuse(mistakes)
    return JobSpec(JobKey(values["/source"], values["/id"]), values["/name"], labels)


def _read(mistakes: list[Mistake], values: dict[str, Any], where: str, reader: Callable[[], object]) -> None:
    try:
        values[where] = reader()
    except ValueError as error:
        mistakes.append(Mistake(where, str(error)))


def _matching(pattern: str, text: str, rule: str) -> str:
    if not re.fullmatch(pattern, text):
        raise ValueError(rule)
    return text


def _is_plain(text: str) -> bool:
    """Tell whether a text is short, without control characters, and can be written as UTF-8."""
    if len(text) > LONGEST_TEXT or not re.fullmatch(TEXT_PATTERN, text):
        return False
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)  # noqa: PLR2004 - lone surrogates


def _job_id(value: object) -> str:
    if not isinstance(value, str) or not is_job_id(value):
        raise ValueError(f"expected a job id: {ID_RULE}")
    return value


def _source(value: object, sources: Collection[str]) -> str:
    if not isinstance(value, str) or value not in sources:
        raise ValueError(f"expected the name of a source; there are: {', '.join(sorted(sources)) or 'none'}")
    return value


def _usual(sources: Collection[str]) -> str:
    return next(iter(sources)) if len(sources) == 1 else USUAL_SOURCE


def _job_name(value: object) -> str | None:
    if value is not None and not (isinstance(value, str) and _is_plain(value)):
        raise ValueError(f"expected up to {LONGEST_TEXT} characters, none of them controls, or null")
    return value or None


def _labels(mistakes: list[Mistake], value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        mistakes.append(Mistake("/labels", "expected an object of texts"))
        return {}
    for name, text in value.items():
        if not name or not _is_plain(name) or not isinstance(text, str) or not _is_plain(text):
            why = f"expected a name and a text of up to {LONGEST_TEXT} characters each, none of them controls"
            mistakes.append(Mistake(f"/labels/{printable(name[:LONGEST_TEXT])}", why))
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
