"""A client with bounds: in time, in size, and in what is in flight."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Self

import httpx

from watcher.http.lanes import open_lane
from watcher.http.words import describe

Request = httpx.Request
"""A request, which may be sent any number of times."""

USER_AGENT_NAME = "finetune-watcher"


class HttpError(Exception):
    """No usable answer arrived. The text names what happened, never the URL: a URL can be a secret."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read whole."""

    status_code: int
    headers: httpx.Headers
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return httpx.codes.is_success(self.status_code)


class AnswerTooLargeError(HttpError):
    """The answer was longer than allowed, and was not read to its end; `head` is the answer without its body."""

    def __init__(self, message: str, head: Answer) -> None:
        super().__init__(message)
        self.head = head


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a client keeps to."""

    timeout: timedelta
    """For an exchange as a whole."""
    at_once: int
    """Exchanges in flight; more of them wait for their turn."""
    size_limit: int
    """Bytes of an answer's body, decompressed."""
    keeps_connections: bool = True
    """Whether a connection serves several exchanges. A server may close it just then, which costs an attempt."""


class HttpClient:
    """A client with bounds. It keeps no cookies and follows no redirects."""

    def __init__(
        self,
        bounds: Bounds,
        *,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Make a client whose requests all carry the headers given."""
        # httpx logs every request with its URL, httpcore what a server answers: either may be, or repeat, a secret.
        for library in ("httpx", "httpcore"):
            logging.getLogger(library).setLevel(logging.WARNING)
        self._seconds = bounds.timeout.total_seconds()
        self._size_limit = bounds.size_limit
        self._slots = asyncio.Semaphore(bounds.at_once)
        self._headers = httpx.Headers({**_usual_headers(), **(headers or {})})
        self._shared_headers: dict[bytes, httpx.Headers] = {}
        self._open_lane = partial(open_lane, tls or tls_context(), keeps_connection=bounds.keeps_connections)
        self._lanes: list[httpx.AsyncBaseTransport] = []
        self._idle: list[httpx.AsyncBaseTransport] = []
        """The lane used last is used next, so that connections stay warm."""

    async def __aenter__(self) -> Self:
        """Open the client."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close every connection."""
        for lane in self._lanes:
            await lane.aclose()

    def request(
        self, method: str, url: str, *, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Request:
        """Build a request, which may be sent any number of times. Raises ValueError for an unusable URL or header."""
        try:
            address = httpx.URL(url)
            request = Request(method, address, content=content, headers=self._headers)
            if headers:
                request.headers.update(headers)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError, TypeError) as error:
            raise ValueError(type(error).__name__) from None
        if address.userinfo:
            return next(httpx.BasicAuth(address.username, address.password).auth_flow(request))
        if not content and not headers:
            # They are the same for every request to a server; ten thousand copies would take 8 MB.
            request.headers = self._shared_headers.setdefault(address.netloc, request.headers)
        return request

    async def exchange(self, request: Request) -> Answer:
        """Send the request and read the answer whole. Raises HttpError."""
        async with self._slots:
            lane = self._idle.pop() if self._idle else self._add_lane()
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._exchange(lane, request)
            except (TimeoutError, httpx.TimeoutException):
                raise HttpError(f"no answer within {self._seconds:g} s") from None
            except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
                raise HttpError(describe(error)) from None
            finally:
                self._idle.append(lane)

    def _add_lane(self) -> httpx.AsyncBaseTransport:
        self._lanes.append(lane := self._open_lane())
        return lane

    async def _exchange(self, lane: httpx.AsyncBaseTransport, request: Request) -> Answer:
        response = await lane.handle_async_request(request)
        try:
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > self._size_limit:
                    head = Answer(response.status_code, response.headers, b"")
                    raise AnswerTooLargeError(f"the answer is larger than {self._size_limit:,} bytes", head)
            return Answer(response.status_code, response.headers, bytes(body))
        finally:
            await response.aclose()


def _usual_headers() -> dict[str, str]:
    # What httpx unpacks without further libraries.
    return {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "Connection": "keep-alive", "User-Agent": user_agent()}


def user_agent() -> str:
    """Return the name that the watcher gives to servers."""
    from watcher import __version__

    return f"{USER_AGENT_NAME}/{__version__}"


def tls_context(certificate: str | None = None, key: str | None = None) -> ssl.SSLContext:
    """Return the TLS settings of a client that verifies, with a client certificate if one is given.

    Raises OSError (ssl.SSLError among it) for certificate files that cannot be used.
    """
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    if certificate:
        context.load_cert_chain(certificate, key)
    return context
