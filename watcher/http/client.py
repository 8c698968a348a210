"""A client with bounds: in time, in size, and in what is in flight."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Self

import httpx

from watcher.http.body import ACCEPT_ENCODING
from watcher.http.errors import WRONG_SCHEME, Answer, HttpError, StaleConnectionError
from watcher.http.routes import Routes, Ways
from watcher.http.tls import TlsContext, tls_context

Request = httpx.Request
"""A request, which may be sent any number of times."""
Headers = httpx.Headers
"""The headers of a request or of an answer."""

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
        self._headers = httpx.Headers({**_usual_headers(), **(headers or {})})
        self._shared_headers: dict[bytes, httpx.Headers] = {}
        context = tls if isinstance(tls, TlsContext) else tls_context()
        self._routes = Routes(Ways(context, self._seconds, bounds.keeps_connections))

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

        Raises ValueError for an unusable URL or header, ConfigurationError if the proxy that the environment names for
        the URL cannot be used.
        """
        try:
            address = _parsed(url)
            request = Request(method, address, content=content, headers=self._headers)
            if headers:
                request.headers.update(headers)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError, TypeError) as error:
            raise ValueError(type(error).__name__) from None
        if address.scheme in {"http", "https"} and address.host:
            self._routes.route(address)
        if address.userinfo:
            return next(httpx.BasicAuth(address.username, address.password).auth_flow(request))
        if not content and not headers:
            # They are the same for every request to a server; ten thousand copies would take 8 MB.
            request.headers = self._shared_headers.setdefault(address.netloc, request.headers)
        return request

    async def exchange(self, request: Request) -> Answer:
        """Send the request and read the answer whole. Raises HttpError."""
        if request.url.scheme not in {"http", "https"} or not request.url.host:
            raise HttpError(WRONG_SCHEME)
        async with self._slots:
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._send(request)
            except TimeoutError:
                raise HttpError(f"no answer within {self._seconds:g} s") from None

    async def _send(self, request: Request) -> Answer:
        route = self._routes.route(request.url)
        try:
            return await route.send(request, self._size_limit)
        except StaleConnectionError:
            if request.method != "GET":  # the server may have acted on it
                raise
        return await route.send(request, self._size_limit)


@lru_cache(maxsize=256)
def _parsed(url: str) -> httpx.URL:
    """Parse a URL once: messages go to the same few addresses."""
    return httpx.URL(url)


def _usual_headers() -> dict[str, str]:
    return {
        "Accept": "*/*",
        "Accept-Encoding": ACCEPT_ENCODING,
        "Connection": "keep-alive",
        "User-Agent": user_agent(),
    }


def user_agent() -> str:
    """Return the name that the watcher gives to servers."""
    from watcher import __version__

    return f"{USER_AGENT_NAME}/{__version__}"
