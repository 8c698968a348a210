"""The only way out by HTTP: every client is made here.

`client` keeps the bounds; `routes` finds the way to a server, by `environment` and `lookup`; `transport` carries an
exchange, in Rust or in Python; `body` unpacks within bounds; `errors` says what went wrong, without any address; `rate`
is how fast servers want to be asked.
"""

from __future__ import annotations

import sys

# httpx loads its own command line (click, rich, pygments) when it finds it installed. That costs `watch` as much as
# all the rest of httpx and is never used here; an entry of None makes that import fail, which httpx provides for.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

from watcher.http.client import (  # noqa: E402 - after the line above
    USER_AGENT_NAME,
    Bounds,
    Headers,
    HttpClient,
    user_agent,
)
from watcher.http.errors import Answer, AnswerTooLargeError, HttpError  # noqa: E402 - after the line above
from watcher.http.rate import Pacer, retry_after  # noqa: E402 - after the line above
from watcher.http.tls import tls_context  # noqa: E402 - after the line above
from watcher.http.transport import Request  # noqa: E402 - after the line above

__all__ = [
    "USER_AGENT_NAME",
    "Answer",
    "AnswerTooLargeError",
    "Bounds",
    "Headers",
    "HttpClient",
    "HttpError",
    "Pacer",
    "Request",
    "retry_after",
    "tls_context",
    "user_agent",
]
