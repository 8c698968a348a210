"""Faults: which one meets a request, and how it changes the answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from watcher.simulator.refusals import error_body
from watcher.simulator.script import Endpoint, Fault, FaultKind
from watcher.simulator.server import Manner, Reply

OTHER_ID = "ftjob-another-one"
"""Whose object a `wrong_id` fault gives."""
ELSEWHERE = "/login"
"""Where a redirect leads, unless the fault has a `location` header."""

_HTML = "<!DOCTYPE html>\n<html><head><title>One moment</title></head><body><h1>One moment</h1></body></html>\n"
_MANNERS = {
    FaultKind.HANG: Manner.HANG,
    FaultKind.RESET: Manner.RESET,
    FaultKind.RESET_MID_BODY: Manner.RESET_MID_BODY,
    FaultKind.DRIP: Manner.DRIP,
}


@dataclass(slots=True)
class _Pending:
    fault: Fault
    left: int | None
    """How many requests it is still to spoil; None for all."""


class PendingFaults:
    """Faults that have not yet spoiled all the requests they are for."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._pending: list[_Pending] = []
        self._asked: Counter[Endpoint | None] = Counter()
        """The requests so far: of each endpoint, and of all of them under None."""
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Put a fault behind those that are pending."""
        self._pending.append(_Pending(fault, fault.times))

    def count(self, endpoint: Endpoint | None) -> None:
        """Count a request; None for one that asks for nothing that is served."""
        self._asked.update({None, endpoint})

    def take(self, endpoint: Endpoint | None, says: Callable[[str], bool]) -> Fault | None:
        """Return the first fault that meets the request counted last, and count that it did.

        Args:
            endpoint: What the request asks for.
            says: Tells whether the answer would say a status.
        """
        for pending in self._pending:
            if self._meets(pending.fault, endpoint, says):
                self._count(pending)
                return pending.fault
        return None

    def _meets(self, fault: Fault, endpoint: Endpoint | None, says: Callable[[str], bool]) -> bool:
        if fault.endpoint not in {None, endpoint}:
            return False
        if fault.before is not None:
            return says(fault.before)
        return fault.at is None or self._asked[fault.endpoint] >= fault.at

    def _count(self, pending: _Pending) -> None:
        if pending.left is not None:
            pending.left -= 1
            if pending.left == 0:
                self._pending.remove(pending)


_IDS = {"id", "name", "jobName", "jobArn"}
_STATUSES = {"status", "state"}
"""What the services call what tells one job from another, and how it stands."""


def spoil(reply: Reply, fault: Fault) -> Reply:
    """Return the answer as the fault changes it."""
    if manner := _MANNERS.get(fault.kind):
        return _with_headers(replace(reply, manner=manner, pause=fault.pause), fault.headers)
    match fault.kind:
        case FaultKind.STATUS:
            spoiled = replace(reply, status_code=fault.status_code, body=_error_body(fault))
        case FaultKind.REDIRECT:
            spoiled = _redirect(reply, fault)
        case FaultKind.MALFORMED:
            html = {"content-type": "text/html; charset=utf-8"}
            spoiled = _with_headers(replace(reply, status_code=200, body=(fault.body or _HTML).encode()), html)
        case FaultKind.OVERSIZED:
            spoiled = replace(reply, status_code=200, body=_padded(reply.body, fault.size))
        case FaultKind.TRUNCATED_JSON:
            spoiled = replace(reply, body=reply.body[: len(reply.body) // 2])
        case _:
            spoiled = _other_object(reply, fault.kind)
    return _with_headers(spoiled, fault.headers)


def _with_headers(reply: Reply, headers: Mapping[str, str]) -> Reply:
    return replace(reply, headers={**reply.headers, **{name.lower(): text for name, text in headers.items()}})


def _error_body(fault: Fault) -> bytes:
    if fault.body is not None:
        return fault.body.encode()
    if fault.error is not None:
        error = {"message": None, "type": None, "param": None, "code": None, **fault.error}
        return json.dumps({"error": error}).encode()
    return _usual_error(fault.status_code)


def _usual_error(status_code: int) -> bytes:
    if status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return error_body("Rate limit reached for requests", kind="requests", code="rate_limit_exceeded")
    if status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        return error_body("The server is overloaded.", kind="server_error", code="server_is_overloaded")
    if status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return error_body("The server had an error while processing your request.", kind="server_error")
    return error_body("The request was refused.")


def _redirect(reply: Reply, fault: Fault) -> Reply:
    is_redirect = fault.status_code // 100 == HTTPStatus.FOUND // 100
    status_code = fault.status_code if is_redirect else int(HTTPStatus.FOUND)
    return _with_headers(replace(reply, status_code=status_code, body=b""), {"location": ELSEWHERE})


def _padded(body: bytes, size: int) -> bytes:
    """Return the same JSON with white space behind it, so that nothing but its size is wrong."""
    return body + b" " * (size - len(body))


def _other_object(reply: Reply, kind: FaultKind) -> Reply:
    """Return the answer with another id, or without a status: of a page, its first entry. A refusal has neither."""
    if reply.status_code != HTTPStatus.OK:
        return reply
    document = json.loads(reply.body)
    for spoiled in _jobs_of(document)[:1]:
        for field in (_IDS if kind is FaultKind.WRONG_ID else _STATUSES) & spoiled.keys():
            if kind is FaultKind.WRONG_ID:
                spoiled[field] = OTHER_ID
            else:
                del spoiled[field]
    return replace(reply, body=json.dumps(document).encode())


def _jobs_of(document: Any) -> list[dict[str, Any]]:
    """Return the objects that an answer is, whichever service's: a list, an object with a list of them, or one job."""
    if isinstance(document, dict) and not _STATUSES & document.keys():
        document = next((value for value in document.values() if isinstance(value, list)), [document])
    return document if isinstance(document, list) else [document]
