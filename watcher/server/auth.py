"""Who may ask for what: the guard at the door of the application."""

from __future__ import annotations

import hmac

from starlette.types import ASGIApp, Receive, Scope, Send

from watcher.server.problems import problem_response, unauthorized

PROBES = frozenset({"/livez", "/readyz"})
"""What is served without a token."""


class TokenGuard:
    """Admits requests with the token, and all requests to the probes."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        """Without a token every request is admitted."""
        self._app = app
        self._expected = token.encode() if token is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in PROBES or self._is_admitted(scope):
            await self._app(scope, receive, send)
            return
        await problem_response(unauthorized())(scope, receive, send)

    def _is_admitted(self, scope: Scope) -> bool:
        if self._expected is None:
            return True
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            return False
        scheme, _, token = given[0].partition(b" ")
        # In constant time: how long a comparison takes must not tell how much of a guess was right.
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(b" "), self._expected)
