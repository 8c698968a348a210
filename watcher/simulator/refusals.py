"""The answers of the fine-tuning API to requests that it does not serve, in its own words."""

from __future__ import annotations

import json
from http import HTTPStatus

from watcher.simulator.server import Received, Reply

JSON = {"content-type": "application/json", "openai-processing-ms": "12"}
"""The headers of every answer of the API."""

_BEARER = "Bearer "
_NO_KEY = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing the "
    "API from your browser and are prompted for a username and password. You can obtain an API key from "
    "https://platform.openai.com/account/api-keys."
)
_WRONG_KEY = (
    "Incorrect API key provided: {key}. You can find your API key at https://platform.openai.com/account/api-keys."
)
_SHOWN_START, _SHOWN_END = 4, 4


def wrong_key(given: str, api_key: str) -> Reply | None:
    """Return the answer to a request with the key given, if any; None if it is the right one."""
    if given == api_key:
        return None
    if not given:
        return Reply(HTTPStatus.UNAUTHORIZED, JSON, error_body(_NO_KEY))
    body = error_body(_WRONG_KEY.format(key=_masked(given)), code="invalid_api_key")
    return Reply(HTTPStatus.UNAUTHORIZED, JSON, body)


def bearer_of(received: Received) -> str:
    """Return the key in the header `Authorization`; empty where there is none."""
    authorization = received.headers.get("authorization", "")
    return authorization.removeprefix(_BEARER).strip() if authorization.startswith(_BEARER) else ""


def unknown_job(job_id: str, param: str = "fine_tune_id") -> Reply:
    """Return the answer to a request that names a job that does not exist."""
    message = f"Could not find fine tune: {job_id}"
    return Reply(HTTPStatus.NOT_FOUND, JSON, error_body(message, param=param, code="fine_tune_not_found"))


def wrong_parameter(param: str, complaint: str) -> Reply:
    """Return the answer to a request whose query cannot be meant."""
    body = error_body(f"Invalid value for '{param}': {complaint}.", param=param, code="invalid_value")
    return Reply(HTTPStatus.BAD_REQUEST, JSON, body)


def unknown_url(received: Received) -> Reply:
    """Return the answer to a request for anything that is not served."""
    return Reply(HTTPStatus.NOT_FOUND, JSON, error_body(f"Invalid URL ({received.method} {received.path})"))


def error_body(
    message: str, *, kind: str = "invalid_request_error", param: str | None = None, code: str | None = None
) -> bytes:
    """Return the body of an error: OpenAI's error object as JSON."""
    return json.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}}).encode()


def _masked(key: str) -> str:
    hidden = len(key) - _SHOWN_START - _SHOWN_END
    if hidden <= 0:
        return "*" * len(key)
    return key[:_SHOWN_START] + "*" * hidden + key[-_SHOWN_END:]
