"""What an answer of the fine-tuning API means: what was asked for, or which kind of trouble.

The kinds follow OpenAI's API: `error.type`, `error.code`, `x-should-retry`, `retry-after-ms` and `retry-after`, as its
official SDK reads them.
"""

from __future__ import annotations

import json
from datetime import datetime

from watcher.domain.text import excerpt
from watcher.errors import MalformedResponseError, MissingError, RejectedError, SourceError, TransientError
from watcher.http import Answer, retry_after

BODY_EXCERPT = 200
"""How much of a body an error repeats, in characters."""
OK = 200
"""The one status of an answer that holds what was asked for."""

_REJECTED = {401, 403}
_MISSING = 404
_NO_OBJECT = range(201, 400)
_TOO_MANY = 429
_WORTH_RETRYING = {408, 409, 429}
_SERVER_ERROR = 500

_NO_QUOTA = {
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_usage_limit_exceeded",
}
_NO_QUOTA_SUFFIX = "_spend_limit_exceeded"


def trouble_of(answer: Answer, now: datetime) -> SourceError | None:
    """Return the error that the answer stands for; None for a success."""
    if answer.status_code == OK:
        return None
    error = _error_object(answer.body)
    message = f"HTTP {answer.status_code}: {_words(answer, error)}"
    status_code, request_id = answer.status_code, request_id_of(answer)
    advice = answer.headers.get("x-should-retry")
    if advice != "true":
        if status_code in _REJECTED or _is_out_of_quota(status_code, error):
            return RejectedError(message, status_code=status_code, request_id=request_id)
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


def request_id_of(answer: Answer) -> str | None:
    """Return the API's own name of the exchange."""
    given = answer.headers.get("x-request-id")
    return excerpt(given, BODY_EXCERPT) if given else None


def _is_worth_retrying(status_code: int) -> bool:
    return status_code in _WORTH_RETRYING or status_code >= _SERVER_ERROR


def _is_out_of_quota(status_code: int, error: dict[str, object]) -> bool:
    if status_code != _TOO_MANY:
        return False
    names = {str(error.get("type")), str(error.get("code"))}
    return not names.isdisjoint(_NO_QUOTA) or any(name.endswith(_NO_QUOTA_SUFFIX) for name in names)


def _error_object(body: bytes) -> dict[str, object]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    return error if isinstance(error, dict) else {}


def _words(answer: Answer, error: dict[str, object]) -> str:
    """Say what the API said: its message and code, else where it redirects to, else the beginning of the body."""
    if message := error.get("message"):
        code = error.get("code") or error.get("type")
        return excerpt(f"{message} ({code})" if code else str(message), BODY_EXCERPT)
    if location := answer.headers.get("location"):
        return f"a redirect to {excerpt(location, BODY_EXCERPT)}, which is not followed: is base_url right?"
    return excerpt(answer.body[: BODY_EXCERPT * 4].decode(errors="replace"), BODY_EXCERPT) or "no body"
