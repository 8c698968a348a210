"""The one door to HTTP: every client is made here.

`client` keeps the bounds, `lanes` are the ways to a server, `pace` is how fast servers want to be asked, and `words`
says what went wrong without repeating an address.
"""

from __future__ import annotations

import sys

# httpx loads its own command line (click, rich, pygments) when it finds it installed. That costs `watch` as much as
# all the rest of httpx and is never used here; an entry of None makes that import fail, which httpx provides for.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

from watcher.http.client import (  # noqa: E402 - after the line above
    USER_AGENT_NAME,
    Answer,
    AnswerTooLargeError,
    Bounds,
    HttpClient,
    HttpError,
    Request,
    tls_context,
    user_agent,
)
from watcher.http.pace import Pacer, retry_after  # noqa: E402 - after the line above

__all__ = [
    "USER_AGENT_NAME",
    "Answer",
    "AnswerTooLargeError",
    "Bounds",
    "HttpClient",
    "HttpError",
    "Pacer",
    "Request",
    "retry_after",
    "tls_context",
    "user_agent",
]
