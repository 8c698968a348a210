"""The transport in Rust: pyreqwest (reqwest, hyper, rustls), used directly.

Its own interface costs a third of its httpx wrapper. What it could do beyond sending is switched off: redirects,
cookies, proxies of its own choice, name look-ups (they share one pool of threads) and decompression (it has no bound).
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta

import httpx

# Its allocator takes huge pages of 4 MB, of which a few connections use next to nothing: 7 MB.
os.environ.setdefault("MIMALLOC_ALLOW_THP", "0")

from pyreqwest.client import Client, ClientBuilder, SyncClientBuilder
from pyreqwest.exceptions import BuilderError, DetailedPyreqwestError, PyreqwestError
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from watcher.http import errors
from watcher.http.body import Body
from watcher.http.errors import Answer, CertificateFormError, HttpError, NotConnectedError, StaleConnectionError
from watcher.http.tls import bundled_roots
from watcher.http.transport import Target

_PING_EVERY = timedelta(seconds=15)
"""HTTP/2 carries all exchanges on one connection: one that died silently must be noticed, or all of them time out."""
_PING_TIMEOUT = timedelta(seconds=10)
_GIVEN_UP = timedelta(seconds=1)
"""How long the library keeps a connection beyond the time for an exchange. It does not notice that the task that waits
for an answer was cancelled: without this, each time that a server hangs would leave one connection open for good."""
_WINDOW_BYTES = 1024 * 1024
_CONNECTION_HEADERS = frozenset({"host", "connection", "content-length", "transfer-encoding"})
"""Headers that the library writes itself, each in the way of the protocol version in use."""
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_CERTIFICATE = "invalid peer certificate: "
_NAMES_NOBODY = "certificate is not valid for any names"
"""It has a common name at most, which OpenSSL takes for the server's."""
_NO_WAY_TO_PROXY = "failed to create underlying connection"
_ALERT = "received fatal alert: "
_CERTIFICATE_WORDS: Mapping[str, str] = {
    "UnknownIssuer": "its issuer is not trusted",
    "Expired": "it has expired",
    "NotValidYet": "it is not valid yet",
    "Revoked": "it has been revoked",
    "certificate not valid for name": "it is for another name",
    "certificate expired": "it has expired",
    "certificate not valid yet": "it is not valid yet",
}
"""What is wrong with a certificate of which there is no doubt. Others rustls only does not know: version 1, or the
server's own one as its authority, as `openssl req -x509` makes them."""


@atexit.register
def _let_the_runtime_finish() -> None:
    """Wait until the library's thread has made all its calls.

    A thread in Rust that is within a call to Python when the interpreter ends takes the process down (SIGABRT); on a
    busy machine one exit of twenty did. The thread works in order, so it has finished all earlier work once it has
    answered this. Nothing listens at port 0, so the answer comes at once.
    """
    builder = SyncClientBuilder().no_proxy().danger_accept_invalid_certs(True).timeout(timedelta(seconds=1))
    with suppress(PyreqwestError), builder.build() as client:
        client.get("http://127.0.0.1:0/").build().send()


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task else 0


def _not_dropped(before: int) -> None:
    """Raise the cancellation that came meanwhile: the library drops one that comes at the moment of the answer."""
    if _cancellations() > before:
        raise asyncio.CancelledError


class PyreqwestTransport:
    """Sends requests to one server."""

    def __init__(self, target: Target) -> None:
        # Rust's libraries log addresses: they may be secrets.
        for library in ("reqwest", "hyper_util", "h2", "rustls", "pyreqwest"):
            logging.getLogger(library).setLevel(logging.ERROR)
        self._client = _build(target)
        self._keeps_connections = target.keeps_connections
        self._in_flight = 0
        self._most_in_flight = 0
        self._kept = 0
        """At most so many connections were kept open, and may have ended meanwhile: which one is used is not known."""
        self._headers: httpx.Headers | None = None
        self._pairs: list[tuple[str, str]] = []
        """What was made of these headers last: nearly all requests to a server share theirs."""

    async def send(self, request: httpx.Request, size_limit: int) -> Answer:
        """Return the answer, read whole."""
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        cancelled_before = _cancellations()
        try:
            async with self._prepare(request) as response:
                answer = await _read(response, size_limit)
        except PyreqwestError as error:
            _not_dropped(cancelled_before)
            raise self._translate(error) from None
        finally:
            self._in_flight -= 1
        _not_dropped(cancelled_before)
        if self._keeps_connections:
            self._kept = min(self._kept + 1, self._most_in_flight)
        return answer

    def _translate(self, error: PyreqwestError) -> HttpError:
        causes = _causes(error)
        if any(cause.startswith("client error (Connect)") for cause in causes):
            return _not_connected(causes)
        words = _words(error, causes)
        # Else the head of an answer has come.
        is_unanswered = any(cause.startswith("client error (SendRequest)") for cause in causes)
        return StaleConnectionError(words) if is_unanswered and self._lose_kept() else HttpError(words)

    def _lose_kept(self) -> bool:
        """Count a connection as ended; return whether it may have been one that was kept."""
        was_kept = self._kept > 0
        self._kept -= was_kept
        return was_kept

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    def _prepare(self, request: httpx.Request) -> StreamRequest:
        if request.headers is not self._headers:
            self._headers = request.headers
            self._pairs = [pair for pair in request.headers.multi_items() if pair[0] not in _CONNECTION_HEADERS]
        try:
            builder = self._client.request(request.method, str(request.url)).headers(self._pairs)
        except ValueError:
            raise HttpError("the request cannot be sent: a header is not valid") from None
        if content := request.content:
            builder = builder.body_bytes(content)
        return builder.build_streamed()


def _build(target: Target) -> Client:
    builder = (
        ClientBuilder()
        .no_proxy()
        .follow_redirects(False)
        .referer(False)
        .default_cookie_store(False)
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .http2(True)
        .http2_initial_stream_window_size(_WINDOW_BYTES)
        .http2_initial_connection_window_size(_WINDOW_BYTES)
        .http2_keep_alive_interval(_PING_EVERY)
        .http2_keep_alive_timeout(_PING_TIMEOUT)
        .http2_keep_alive_while_idle(True)
        .timeout(timedelta(seconds=target.seconds) + _GIVEN_UP)
    )
    if target.connect_seconds is not None:
        builder = builder.connect_timeout(timedelta(seconds=target.connect_seconds))
    if not target.keeps_connections:
        builder = builder.pool_max_idle_per_host(0)
    if target.proxy is not None:
        builder = builder.proxy(_proxy(target.proxy))
    if target.address is not None:
        host = (target.proxy or target.url).raw_host.decode()
        builder = builder.resolve(host, target.address, 0)
    if target.tls.identity is not None:
        builder = builder.identity_pem(target.tls.identity)
    return _with_roots(builder)


def _with_roots(builder: ClientBuilder) -> Client:
    try:
        return builder.build()
    except BuilderError:
        # This machine has no certificates of its own. Those of browsers will do, as they do for httpx.
        return builder.add_root_certificate_pem(bundled_roots()).build()


def _proxy(url: httpx.URL) -> ProxyBuilder:
    # As with curl's `socks5h`, and in httpx, the proxy looks up the name: only it may be able to.
    scheme = "socks5h" if url.scheme == "socks5" else url.scheme
    if scheme == "socks5h" or not url.userinfo:
        return ProxyBuilder.all(str(url.copy_with(scheme=scheme)))
    bare = url.copy_with(username=None, password=None)
    return ProxyBuilder.all(str(bare)).basic_auth(url.username, url.password)


async def _read(response: Response, size_limit: int) -> Answer:
    head = Answer(response.status, httpx.Headers(_headers(response)), b"")
    body = Body(head, _encoding(response), size_limit)
    reader = response.body_reader
    while (piece := await reader.read_chunk()) is not None:
        body.feed(bytes(piece))
    return Answer(head.status_code, head.headers, body.whole())


def _encoding(response: Response) -> str:
    try:
        return ", ".join(response.get_header_all("content-encoding"))
    except ValueError:  # it is no ASCII
        return "unreadable"


def _headers(response: Response) -> list[tuple[str, str]]:
    try:
        return list(response.headers.items())
    except ValueError:  # a value that is no ASCII; its name is left out
        return list(_readable_headers(response))


def _readable_headers(response: Response) -> Iterator[tuple[str, str]]:
    for name in set(response.headers.keys()):
        try:
            values = response.get_header_all(name)
        except ValueError:
            continue
        yield from ((name, value) for value in values)


def _causes(error: PyreqwestError) -> list[str]:
    causes = error.details["causes"] if isinstance(error, DetailedPyreqwestError) else None
    return [cause["message"] for cause in causes or ()]


def _not_connected(causes: list[str]) -> NotConnectedError:
    for cause in causes:
        if cause.startswith(_CERTIFICATE):
            return _not_accepted(cause.removeprefix(_CERTIFICATE))
        if cause.startswith(_ALERT):
            return NotConnectedError(f"the server refused TLS: {cause.removeprefix(_ALERT)}")
    if any(cause.endswith(_NO_WAY_TO_PROXY) for cause in causes):
        return NotConnectedError(_with_os_error(errors.CANNOT_CONNECT_TO_PROXY, causes))
    if any(cause.startswith(("tunnel error", "socks", "SOCKS")) for cause in causes):
        return NotConnectedError(errors.PROXY_REFUSED)
    return NotConnectedError(_with_os_error(errors.CANNOT_CONNECT, causes))


def _not_accepted(cause: str) -> NotConnectedError:
    """Return the error of rustls about a certificate in plain words, without the names that it may repeat."""
    for begin, words in _CERTIFICATE_WORDS.items():
        if cause.startswith(begin) and _NAMES_NOBODY not in cause:
            return NotConnectedError(f"{errors.CERTIFICATE_NOT_ACCEPTED}: {words}")
    return CertificateFormError(f"{errors.CERTIFICATE_NOT_ACCEPTED}: it has a form that rustls does not take")


def _words(error: PyreqwestError, causes: list[str]) -> str:
    kind = type(error).__name__
    if any(_ALERT in cause for cause in causes):
        return "the server refused TLS: " + next(c for c in causes if _ALERT in c).partition(_ALERT)[2]
    if any(_OS_ERROR.search(cause) for cause in causes):
        begin = errors.BROKE_WHILE_WRITING if kind == "WriteError" else errors.BROKE_WHILE_READING
        return _with_os_error(begin, causes)
    if kind in {"ReadError", "ConnectError", "DecodeError", "BodyDecodeError", "NetworkError"}:
        return errors.BROKE_OFF
    return errors.CONNECTION_FAILED


def _with_os_error(words: str, causes: list[str]) -> str:
    numbers = [int(found[1]) for cause in causes if (found := _OS_ERROR.search(cause))]
    return f"{words}: {os.strerror(numbers[-1])}" if numbers else words
