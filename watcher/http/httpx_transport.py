"""The transport in Python: httpx, for platforms without a wheel of pyreqwest, and on request."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import Mapping

import httpx

from watcher.errors import ConfigurationError
from watcher.http import errors
from watcher.http.errors import Answer, HttpError, NotConnectedError, StaleConnectionError
from watcher.http.transport import Request, Target

_Errors = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError)
_CONNECTING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)
_BEGINNING = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)

_KINDS: Mapping[type[Exception], str] = {
    httpx.ConnectError: errors.CANNOT_CONNECT,
    httpx.ConnectTimeout: errors.CANNOT_CONNECT,
    httpx.ReadError: errors.BROKE_WHILE_READING,
    httpx.WriteError: errors.BROKE_WHILE_WRITING,
    httpx.RemoteProtocolError: errors.BROKE_OFF,
    httpx.ProxyError: errors.PROXY_REFUSED,
    httpx.UnsupportedProtocol: errors.WRONG_SCHEME,
}


class HttpxTransport:
    """Sends requests to one server, each on a connection of its own."""

    def __init__(self, target: Target) -> None:
        """Raises ConfigurationError for a SOCKS proxy without the library that speaks to it."""
        # They log every request with its URL, and what a server answers: either may be, or repeat, a secret.
        for library in ("httpx", "httpcore"):
            logging.getLogger(library).setLevel(logging.WARNING)
        self._target = target
        self._host = target.url.raw_host.decode()
        self._connections: list[_Connection] = []
        self._idle: list[_Connection] = []
        """The one used last is used next, so that connections stay warm."""
        self._idle.append(self._open())

    async def send(self, request: Request, deadline: float) -> Answer:
        """Return the answer, with its body as it was sent."""
        sent = self._to_address(request)
        connection = self._idle.pop() if self._idle else self._open()
        try:
            async with asyncio.timeout_at(deadline):
                return await connection.send(sent, self._target.size_limit)
        finally:
            self._idle.append(connection)

    async def close(self) -> None:
        """Close every connection."""
        for connection in self._connections:
            await connection.transport.aclose()

    def _open(self) -> _Connection:
        connection = _Connection(_open_transport(self._target), keeps=self._target.keeps_connections)
        self._connections.append(connection)
        return connection

    def _to_address(self, request: Request) -> httpx.Request:
        """Return the request with the address in place of the name, which TLS still sends and verifies."""
        headers = {name.title(): value for name, value in request.headers.items()}  # as the other transport writes them
        try:
            sent = httpx.Request(request.method, request.url, headers=headers, content=request.content)
        except (UnicodeError, TypeError):
            raise HttpError(errors.HEADER_NOT_VALID) from None
        sent.extensions["timeout"] = {"connect": self._target.connect_seconds}
        if self._target.address is not None and self._target.proxy is None:
            sent.url = sent.url.copy_with(host=self._target.address)
            sent.extensions["sni_hostname"] = self._host
        return sent


class _Connection:
    """A transport of httpx for one connection.

    httpx's pool looks at every connection and every waiting request for each request that comes or ends, which soon
    costs more than the requests themselves (encode/httpcore#1035). And a transport rather than a client, whose
    redirects, cookies, hooks and authentication are not wanted.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, *, keeps: bool) -> None:
        self.transport = transport
        self._keeps = keeps
        self._is_kept = False

    async def send(self, request: httpx.Request, size_limit: int) -> Answer:
        was_kept, self._is_kept = self._is_kept, False
        try:
            response = await self.transport.handle_async_request(request)
        except _CONNECTING as error:
            raise NotConnectedError(describe(error)) from None
        except _BEGINNING as error:
            raise (StaleConnectionError if was_kept else HttpError)(describe(error)) from None
        except _Errors as error:
            raise HttpError(describe(error)) from None
        try:
            answer = await _read(response, size_limit)
        except _Errors as error:
            raise HttpError(describe(error)) from None
        finally:
            await response.aclose()
        self._is_kept = self._keeps and len(answer.body) <= size_limit
        return answer


async def _read(response: httpx.Response, size_limit: int) -> Answer:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > size_limit:
            break
    return Answer(response.status_code, response.headers, bytes(body[: size_limit + 1]))


def _open_transport(target: Target) -> httpx.AsyncBaseTransport:
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=int(target.keeps_connections))
    proxy = target.proxy and _proxy(target.proxy, target.address)
    try:
        return httpx.AsyncHTTPTransport(verify=target.tls.with_roots(), limits=limits, proxy=proxy, trust_env=False)
    except ImportError:
        raise ConfigurationError(
            "a SOCKS proxy is set in the environment: httpx needs `finetune-watcher[socks]` for it"
        ) from None


def _proxy(url: httpx.URL, address: str | None) -> httpx.Proxy:
    if address is not None and url.scheme != "https":  # a proxy under TLS is held to its name
        url = url.copy_with(host=address)
    if url.scheme == "socks5h":
        url = url.copy_with(scheme="socks5")  # which looks names up at the proxy in httpx as well
    return httpx.Proxy(url)


def describe(error: Exception) -> str:
    """Name what happened without repeating an address, which the libraries may put into their texts."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"{errors.CERTIFICATE_NOT_ACCEPTED}: {_certificate_words(cause)}"
        if isinstance(cause, OSError) and (words := _words(cause)):
            return f"{_KINDS.get(type(error), errors.CONNECTION_FAILED)}: {words}"
        cause = cause.__cause__ or cause.__context__
    return _KINDS.get(type(error), errors.CONNECTION_FAILED)


def _certificate_words(error: ssl.SSLCertVerificationError) -> str:
    # OpenSSL names the host that it was asked for; its own words end before that.
    return error.verify_message.partition(", certificate is not valid for")[0]


def _words(error: OSError) -> str | None:
    # These two number their errors in their own way.
    if error.errno is None or isinstance(error, ssl.SSLError | socket.gaierror):
        return error.strerror
    # Not its own text: asyncio writes the address into it.
    return os.strerror(error.errno)
