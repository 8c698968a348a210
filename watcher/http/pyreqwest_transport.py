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
from pyreqwest.http import HeaderMap
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import StreamRequest

from watcher.http import errors
from watcher.http.errors import Answer, CertificateFormError, HttpError, NotConnectedError, StaleConnectionError
from watcher.http.tls import bundled_roots
from watcher.http.transport import Request, Target

_PING_EVERY = timedelta(seconds=15)
"""HTTP/2 carries all exchanges on one connection: one that died silently must be noticed, or all of them time out."""
_PING_TIMEOUT = timedelta(seconds=10)
_WINDOW_BYTES = 1024 * 1024
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
        self._size_limit = target.size_limit
        self._keeps_connections = target.keeps_connections
        self._in_flight = 0
        self._most_in_flight = 0
        self._kept = 0
        """At most so many connections were kept open, and may have ended meanwhile: which one is used is not known."""

    async def send(self, request: Request, deadline: float) -> Answer:
        """Return the answer, with its body as it was sent."""
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        cancelled_before = _cancellations()
        try:
            async with self._prepare(request, deadline) as response:
                body = await response.body_reader.read(self._size_limit + 1)
        except PyreqwestError as error:
            _not_dropped(cancelled_before)
            raise self._translate(error) from None
        finally:
            self._in_flight -= 1
        _not_dropped(cancelled_before)
        if self._keeps_connections:
            self._kept = min(self._kept + 1, self._most_in_flight)
        return Answer(response.status, _Headers(response.headers), bytes(body or b""))

    def _translate(self, error: PyreqwestError) -> HttpError | TimeoutError:
        causes = _causes(error)
        if any(cause.startswith("client error (Connect)") for cause in causes):
            return _not_connected(causes)
        if isinstance(error, TimeoutError):
            return TimeoutError()
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

    def _prepare(self, request: Request, deadline: float) -> StreamRequest:
        try:
            builder = self._client.request(request.method, request.url).headers(request.headers)
        except (ValueError, TypeError):
            raise HttpError(errors.HEADER_NOT_VALID) from None
        if request.content:
            builder = builder.body_bytes(request.content)
        # The library does not notice that the task that waits for an answer was cancelled, and goes on until this ends.
        left = max(deadline - asyncio.get_running_loop().time(), 0)
        return builder.timeout(timedelta(seconds=left)).build_streamed()


class _Headers(Mapping[str, str]):
    """The headers of an answer, read when they are asked for: few of them ever are."""

    def __init__(self, headers: HeaderMap) -> None:
        self._headers = headers

    def __getitem__(self, name: str) -> str:
        try:
            values = self._headers.getall(name)
        except ValueError:  # it is no ASCII
            return "\N{REPLACEMENT CHARACTER}"
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(self._headers))

    def __len__(self) -> int:
        return self._headers.keys_len()


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
