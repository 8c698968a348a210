"""Who may ask for what: the guard at the door of the application."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress

from starlette.types import ASGIApp, Receive, Scope, Send

from watcher.domain.text import excerpt
from watcher.server.problems import foreign_page, problem_response, unauthorized

PROBES = frozenset({"/livez", "/readyz"})
"""What may be asked for without a token."""
HOOKS_PATH = "/hooks/"
"""What the paths of webhooks begin with, which prove by a signature where they come from, and have no token."""
_READING = frozenset({"GET", "HEAD"})
_PROXY = b"proxy"
"""Stands for the scheme of a request in which a proxy names the user."""
_USER = "watcher.user"
"""Where the name of the user is kept with the request."""
_LONGEST_NAME = 64
"""Characters of it that are kept."""


class TokenGuard:
    """Lets in requests that have the token, and any request to the probes and to where webhooks are taken.

    Programs send it as a Bearer token. A browser asks for it once and sends it as the password of HTTP Basic, with any
    user name, also where a page of another site makes it send a request: a change from a browser must come from a page
    of this server, as the browser says itself. A proxy in front that has asked people who they are names them in a
    header; that counts only from this host itself, for anybody else could write the header as well.
    """

    def __init__(self, app: ASGIApp, token: str | None, user_header: str | None = None) -> None:
        """Without a token and without a header every request is let in."""
        self._app = app
        self._expected = token.encode() if token is not None else None
        self._user_header = user_header.lower().encode() if user_header else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in PROBES or scope["path"].startswith(HOOKS_PATH):
            await self._app(scope, receive, send)
            return
        scheme, is_admitted = self._admission(scope)
        if not is_admitted:
            answer: ASGIApp = problem_response(unauthorized(is_browser=_is_browser(scope)))
        elif scheme != b"bearer" and scope["method"] not in _READING and not _is_from_own_page(scope):
            answer = problem_response(foreign_page())
        else:
            answer = self._app
        await answer(scope, receive, send)

    def _admission(self, scope: Scope) -> tuple[bytes, bool]:
        """Return by which scheme the request shows a token, and whether it is let in."""
        if user := self._named_user(scope):
            scope[_USER] = user
            return _PROXY, True
        given = _headers(scope, b"authorization")
        scheme, _, value = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        scheme = scheme.lower()
        if self._expected is None:
            return scheme, self._user_header is None
        name, token = _name_and_password(value) if scheme == b"basic" else (b"", value.strip(b" "))
        # In constant time: how long a comparison takes must not tell how much of a guess was right.
        is_admitted = scheme in {b"bearer", b"basic"} and hmac.compare_digest(token, self._expected)
        if is_admitted and name:
            scope[_USER] = _text(name)
        return scheme, is_admitted

    def _named_user(self, scope: Scope) -> str | None:
        """Return the user that a proxy on this host names."""
        if self._user_header is None or not _is_from_this_host(scope):
            return None
        given = _headers(scope, self._user_header)
        return _text(given[0]) if len(given) == 1 and given[0].strip() else None


def user_of(scope: Scope) -> str | None:
    """Return who asks: whom a trusted proxy has named, else what was given as the user name of the token; or None."""
    user: str | None = scope.get(_USER)
    return user


def _is_from_this_host(scope: Scope) -> bool:
    """Tell whether the other end is on this host: at a loopback address, or at a socket file, which has no address."""
    return scope["client"] is None or ipaddress.ip_address(scope["client"][0]).is_loopback


def _is_from_own_page(scope: Scope) -> bool:
    return _headers(scope, b"sec-fetch-site") == [b"same-origin"]


def _is_browser(scope: Scope) -> bool:
    """Tell whether a browser asks: it says so itself, and wants the challenge also for the files of a page."""
    is_said = bool(_headers(scope, b"sec-fetch-mode"))
    return is_said or any(b"text/html" in value for value in _headers(scope, b"accept"))


def _headers(scope: Scope, wanted: bytes) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == wanted]


def _name_and_password(value: bytes) -> tuple[bytes, bytes]:
    try:
        name, _, password = base64.b64decode(value.strip(b" "), validate=True).partition(b":")
    except binascii.Error:
        return b"", b""
    return name, password


def _text(name: bytes) -> str:
    return excerpt(name.decode("utf-8", "replace"), _LONGEST_NAME)
