"""The one door to HTTP: every client is made here."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from http.cookiejar import CookieJar
from typing import Self

# httpx loads its own command line (click, rich, pygments) when it finds it installed. That costs `watch` as much as
# all the rest of httpx and is never used here; an entry of None makes that import fail, which httpx provides for.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

import httpx  # noqa: E402 - after the line above

Request = httpx.Request
"""A request, which may be sent any number of times."""

USER_AGENT_NAME = "finetune-watcher"
_A_YEAR_SECONDS = 365 * 86_400.0
"""More than anybody honours; keeps absurd numbers within what a timedelta can hold."""


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


class _NoCookies(CookieJar):
    """A jar that keeps nothing: an API client has no use for cookies, and looking after them costs."""

    def extract_cookies(self, response: object, request: object) -> None:
        pass

    def add_cookie_header(self, request: object) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a client keeps to."""

    timeout: timedelta
    """For connecting, for each read, and for an exchange as a whole."""
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
        params: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Make a client whose requests all carry the headers and query parameters given."""
        # httpx logs every request with its URL, httpcore what a server answers: either may be, or repeat, a secret.
        for library in ("httpx", "httpcore"):
            logging.getLogger(library).setLevel(logging.WARNING)
        self._seconds = bounds.timeout.total_seconds()
        self._size_limit = bounds.size_limit
        self._slots = asyncio.Semaphore(bounds.at_once)
        tls = tls or tls_context()
        self._open_lane = partial(
            httpx.AsyncClient,
            headers={"User-Agent": user_agent(), **(headers or {})},
            params=params,
            cookies=_NoCookies(),
            timeout=self._seconds,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=int(bounds.keeps_connections)),
            verify=tls,
            follow_redirects=False,
        )
        # One connection a lane: httpx's pool looks at every connection and every waiting request for each request
        # that comes or ends, which soon costs more than the requests themselves (encode/httpcore#1035).
        self._lanes = [self._open_lane()]
        self._idle = list(self._lanes)
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
            return self._lanes[0].build_request(method, url, content=content, headers=headers)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError, TypeError) as error:
            raise ValueError(type(error).__name__) from None

    async def exchange(self, request: Request) -> Answer:
        """Send the request and read the answer whole. Raises HttpError."""
        async with self._slots:
            lane = self._idle.pop() if self._idle else self._add_lane()
            try:
                # httpx bounds each read; a server that drips bytes is bounded here.
                async with asyncio.timeout(self._seconds):
                    return await self._exchange(lane, request)
            except (TimeoutError, httpx.TimeoutException):
                raise HttpError(f"no answer within {self._seconds:g} s") from None
            except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
                raise HttpError(_describe(error)) from None
            finally:
                self._idle.append(lane)

    def _add_lane(self) -> httpx.AsyncClient:
        self._lanes.append(lane := self._open_lane())
        return lane

    async def _exchange(self, lane: httpx.AsyncClient, request: Request) -> Answer:
        response = await lane.send(request, stream=True)
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


class Pacer:
    """Spaces out messages to one address, whoever sends them."""

    def __init__(self) -> None:
        """Make a pacer that has seen nothing yet."""
        self._next: dict[str, float] = {}

    async def turn(self, address: str, spacing: timedelta) -> None:
        """Wait until the address may be written to again."""
        now = asyncio.get_running_loop().time()
        at = max(self._next.get(address, now), now)
        self._next[address] = at + spacing.total_seconds()
        await asyncio.sleep(at - now)


def user_agent() -> str:
    """Return the name that the watcher gives to servers."""
    from watcher import __version__

    return f"{USER_AGENT_NAME}/{__version__}"


def tls_context(certificate: str | None = None, key: str | None = None) -> ssl.SSLContext:
    """Return the TLS settings of a client that verifies, with a client certificate if one is given.

    Raises OSError (ssl.SSLError among it) for certificate files that cannot be used.
    """
    context = httpx.create_ssl_context()
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


def retry_after(headers: httpx.Headers, now: datetime) -> timedelta | None:
    """Return how long a server asks to be left alone: `retry-after-ms`, else `retry-after` in seconds or as a date.

    None when it does not say, or says nothing usable.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    seconds = _number(headers.get("retry-after"))
    if milliseconds is not None:
        wait = milliseconds / 1000
    elif seconds is not None:
        wait = seconds
    else:
        wait = _seconds_until(headers.get("retry-after"), now)
    return timedelta(seconds=min(wait, _A_YEAR_SECONDS)) if wait > 0 else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _seconds_until(date: str | None, now: datetime) -> float:
    try:
        at = parsedate_to_datetime(date or "")
    except ValueError:
        return 0.0
    return (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()


def _describe(error: Exception) -> str:
    """Name what happened without repeating an address, which httpx may put into its texts."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"TLS certificate not accepted: {cause.verify_message}"
        if isinstance(cause, OSError) and (words := _words(cause)):
            return f"{_KINDS.get(type(error), 'the connection failed')}: {words}"
        cause = cause.__cause__ or cause.__context__
    return _KINDS.get(type(error), "the connection failed")


def _words(error: OSError) -> str | None:
    # These two number their errors in their own way.
    if error.errno is None or isinstance(error, ssl.SSLError | socket.gaierror):
        return error.strerror
    # Not its own text: asyncio writes the address into it.
    return os.strerror(error.errno)


_KINDS: Mapping[type[Exception], str] = {
    httpx.ConnectError: "cannot connect",
    httpx.ReadError: "the connection broke while reading",
    httpx.WriteError: "the connection broke while writing",
    httpx.RemoteProtocolError: "the server broke off or does not speak HTTP",
    httpx.ProxyError: "the proxy refused",
    httpx.UnsupportedProtocol: "the address is not http:// or https://",
    httpx.DecodingError: "the answer cannot be decompressed",
}
