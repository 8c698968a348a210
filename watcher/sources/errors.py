"""What an answer means: success, or which kind of failure. The HTTP status decides; kinds add their own codes.

The official clients of all services read `x-should-retry`, `retry-after-ms` and `retry-after`, and so does this.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from watcher.domain.text import excerpt
from watcher.errors import MalformedResponseError, MissingError, RejectedError, SourceError, TransientError
from watcher.http import Answer, retry_after
from watcher.redaction import shareable

BODY_EXCERPT = 200
"""How much of a body an error repeats, in characters."""
OK = 200
"""The one status of an answer that holds what was asked for."""
UNAUTHORIZED = 401

_REJECTED = {401, 403}
_MISSING = 404
_NO_OBJECT = range(201, 400)
_WORTH_RETRYING = {408, 409, 429}
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a service says in an answer that is no success."""

    status_code: int
    message: str | None = None
    words: frozenset[str] = frozenset()
    """Its own names for the error: codes, types."""
    shown: str | None = None
    """The one of them that people look up."""


def _nothing_special(complaint: Complaint) -> str | None:  # noqa: ARG001 - the rule of a kind without rules
    return None


def _is_unauthorized(complaint: Complaint) -> bool:
    return complaint.status_code == UNAUTHORIZED


@dataclass(frozen=True, slots=True)
class ErrorRules:
    """What a kind of source adds to what the status of HTTP says."""

    rejects: Callable[[Complaint], str | None] = _nothing_special
    """Says whether only a person can help, for any status: returns what to do, or "" when it goes without
    saying; None when the status decides."""
    is_expired: Callable[[Complaint], bool] = _is_unauthorized
    """Returns whether another credential may be accepted."""
    request_id: str = "x-request-id"
    """The header with the service's own name of the exchange."""
    error_name: str | None = None
    """The header with the name of the error, where the body does not have it."""


def failure_of(answer: Answer, now: datetime, rules: ErrorRules | None = None) -> SourceError | None:
    """Return the error that the answer stands for; None for a success."""
    if answer.status_code == OK:
        return None
    rules = rules or ErrorRules()
    complaint = complaint_of(answer, rules)
    status_code, request_id = answer.status_code, request_id_of(answer, rules)
    message = f"HTTP {status_code}: {_words(answer, complaint)}"
    advice = answer.headers.get("x-should-retry")
    if advice != "true":
        remedy = rules.rejects(complaint)
        if status_code in _REJECTED or remedy is not None:
            told = f"{message}: {remedy}" if remedy else message
            return RejectedError(told, status_code=status_code, request_id=request_id)
        if status_code == _MISSING:
            return MissingError(message, status_code=status_code, request_id=request_id)
    if status_code in _NO_OBJECT:
        return MalformedResponseError(message, status_code=status_code, request_id=request_id)
    return TransientError(
        message,
        status_code=status_code,
        request_id=request_id,
        retry_after=retry_after(answer.headers, now),
        retryable=advice == "true" or (advice != "false" and _is_worth_retrying(status_code)),
    )


def request_id_of(answer: Answer, rules: ErrorRules | None = None) -> str | None:
    """Return the service's own name of the exchange."""
    given = answer.headers.get((rules or ErrorRules()).request_id)
    return excerpt(given, BODY_EXCERPT) if given else None


def complaint_of(answer: Answer, rules: ErrorRules) -> Complaint:
    """Read the error of an answer, in any of the usual shapes."""
    named = answer.headers.get(rules.error_name, "").partition(":")[0] if rules.error_name else ""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        document = {}
    error = document.get("error")
    said = error if isinstance(error, dict) else document
    message = next(
        filter(None, map(_text, (said.get("message"), said.get("Message"), said.get("detail"), error))), None
    )
    # A service that repeats the number of the status as its code says nothing with it.
    given = [named, *(said.get(key) for key in ("code", "type", "status"))]
    codes = [word for value in given if (word := _text(value)) and not word.isdecimal()]
    return Complaint(answer.status_code, message, frozenset(codes), codes[0] if codes else None)


def _text(value: object) -> str | None:
    """Return a text, or those of a list of texts; None for anything else, and for a text that says nothing."""
    if isinstance(value, list):
        return "; ".join(text for item in value if (text := _text(item))) or None
    if isinstance(value, Mapping):
        return _text(value.get("msg"))
    return value if isinstance(value, str) and value else str(value) if type(value) is int else None


def _is_worth_retrying(status_code: int) -> bool:
    return status_code in _WORTH_RETRYING or status_code >= _SERVER_ERROR


def _words(answer: Answer, complaint: Complaint) -> str:
    """Return the text of an error: message and code, else the target of a redirect, else the start of the body."""
    if complaint.message:
        shown = f"{complaint.message} ({complaint.shown})" if complaint.shown else complaint.message
        return excerpt(shareable(shown), BODY_EXCERPT)
    if location := answer.headers.get("location"):
        return f"a redirect to {excerpt(location, BODY_EXCERPT)}, which is not followed: is the address right?"
    body = answer.body[: BODY_EXCERPT * 4].decode(errors="replace")
    return excerpt(shareable(body), BODY_EXCERPT) or "no body"
