"""A client with bounds: in time, in size, and in what is in flight."""

from __future__ import annotations

import asyncio
import ssl
import sys
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Self

import httpx

from watcher.http.body import ACCEPT_ENCODING, unpacked
from watcher.http.errors import WRONG_SCHEME, Answer, HttpError, StaleConnectionError
from watcher.http.routes import Routes, Ways
from watcher.http.tls import TlsContext, tls_context
from watcher.http.transport import Request

Headers = httpx.Headers
"""Headers, found by name in any case."""

USER_AGENT_NAME = "finetune-watcher"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a client keeps to."""

    timeout: timedelta
    """For an exchange as a whole, the look-up of the name included."""
    concurrency: int
    """Exchanges in flight; more of them wait for their turn."""
    size_limit: int
    """Bytes of an answer's body, decompressed."""
    keeps_connections: bool = True
    """Whether a connection serves several exchanges. A server may close it just then: a GET is then sent once more."""


class HttpClient:
    """A client with bounds. It keeps no cookies and follows no redirects."""

    def __init__(
        self,
        bounds: Bounds,
        *,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Make a client whose requests all carry the headers given; `tls` is what `tls_context` returns.

        Raises ConfigurationError for an environment that names certificates or a transport that are not there.
        """
        self._seconds = bounds.timeout.total_seconds()
        self._size_limit = bounds.size_limit
        self._slots = asyncio.Semaphore(bounds.concurrency)
        self._headers = _usual_headers() | _by_lower_case(headers or {})
        context = tls if isinstance(tls, TlsContext) else tls_context()
        self._routes = Routes(Ways(context, self._seconds, bounds.size_limit, bounds.keeps_connections))

    async def __aenter__(self) -> Self:
        """Open the client."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close every connection."""
        await self._routes.close()

    def request(
        self, method: str, url: str, *, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Request:
        """Build a request, which may be sent any number of times.

        Raises ValueError for an unusable URL, ConfigurationError if the proxy that the environment names for it cannot
        be used.
        """
        try:
            address = _parsed(url)
        except (httpx.InvalidURL, UnicodeError, TypeError) as error:
            raise ValueError(type(error).__name__) from None
        if address.scheme not in {"http", "https"} or not address.host:
            raise ValueError(WRONG_SCHEME)
        server = sys.intern(f"{address.scheme}://{address.netloc.decode()}")
        self._routes.route(server)
        own = _by_lower_case(headers or {})
        if address.userinfo:
            own["authorization"] = f"Basic {b64encode(f'{address.username}:{address.password}'.encode()).decode()}"
        return Request(method, str(address), server, self._headers | own if own else self._headers, content)

    async def exchange(self, request: Request) -> Answer:
        """Send the request and read the answer whole. Raises HttpError."""
        async with self._slots:
            try:
                answer = await self._send(request)
            except TimeoutError:
                raise HttpError(f"no answer within {self._seconds:g} s") from None
        return unpacked(answer, self._size_limit)

    async def _send(self, request: Request) -> Answer:
        route = self._routes.route(request.server)
        deadline = asyncio.get_running_loop().time() + self._seconds
        try:
            return await route.send(request, deadline)
        except StaleConnectionError:
            if request.method != "GET":  # the server may have acted on it
                raise
        return await route.send(request, deadline)


@lru_cache(maxsize=256)
def _parsed(url: str) -> httpx.URL:
    """Parse a URL once: messages go to the same few addresses."""
    return httpx.URL(url)


def _by_lower_case(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _usual_headers() -> dict[str, str]:
    return {"accept": "*/*", "accept-encoding": ACCEPT_ENCODING, "user-agent": user_agent()}


def user_agent() -> str:
    """Return the name that the watcher gives to servers."""
    from watcher import __version__

    return f"{USER_AGENT_NAME}/{__version__}"
