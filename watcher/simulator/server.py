"""An HTTP/1.1 server on loopback that gives scripted answers, malformed ones too."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self

import h11

from watcher.errors import ConfigurationError

HOST = "127.0.0.1"
_CHUNK_BYTES = 65_536
_BACKLOG = 1024
"""Connections that may wait to be accepted: a benchmark opens hundreds at once."""
_NO_BODY = {204, 205, 304}
_NOT_HTTP = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

Clock = Callable[[], datetime]
"""Tells the time: aware, UTC."""


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived; the names of its headers in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    at: datetime
    verified: bool | None = None
    """Whether its signature is valid; None where it was not checked."""


class Manner(StrEnum):
    """How an answer is given."""

    WHOLE = "whole"
    DRIP = "drip"
    """Byte by byte, with a pause before each byte of the body."""
    RESET_MID_BODY = "reset_mid_body"
    """Half of the body, then a reset."""
    RESET = "reset"
    """A reset instead of an answer."""
    HANG = "hang"
    """No answer, for as long as the client stays."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server does with a request."""

    status_code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    manner: Manner = Manner.WHOLE
    pause: timedelta = timedelta(milliseconds=200)
    """The pause before each byte of a drip, in real time."""


class LoopbackServer:
    """Serves HTTP on 127.0.0.1 while it is entered, and answers each request as `answer` says."""

    def __init__(
        self,
        answer: Callable[[Received], Awaitable[Reply]],
        *,
        clock: Clock = utc_now,
        host: str = HOST,
        port: int = 0,
    ) -> None:
        self._answer = answer
        self._clock = clock
        self._host = host
        self._port = port
        self._conversations: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._failures: list[BaseException] = []

    @property
    def address(self) -> str:
        """The URL of the server, without a path."""
        return f"http://{self._host}:{self._port}"

    async def __aenter__(self) -> Self:
        """Start to listen. Raises ConfigurationError when the port cannot be had."""
        try:
            self._server = await asyncio.start_server(self._accept, self._host, self._port, backlog=_BACKLOG)
        except OSError as error:
            raise ConfigurationError(_why_not_listening(self._host, self._port, error)) from None
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop, and drop requests that are still open. Raises what went wrong in answering."""
        self._server.close()
        for conversation, writer in self._conversations.items():
            conversation.cancel()
            writer.transport.abort()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        await self._server.wait_closed()
        if self._failures:
            raise self._failures[0]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = asyncio.create_task(self._converse(reader, writer))
        self._conversations[conversation] = writer
        conversation.add_done_callback(self._ended)

    def _ended(self, conversation: asyncio.Task[None]) -> None:
        del self._conversations[conversation]
        if not conversation.cancelled() and (failure := conversation.exception()):
            self._failures.append(failure)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        try:
            while (received := await self._receive(connection, reader)) is not None:
                reply = await self._answer(received)
                if received.method == "HEAD":
                    reply = replace(reply, body=b"")
                await _give(reply, connection, reader, writer)
                if connection.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
                    break
                connection.start_next_cycle()
        except h11.RemoteProtocolError:
            writer.write(_NOT_HTTP)
        except ConnectionError:
            pass  # the client is gone, and with it what it was owed
        finally:
            writer.close()

    async def _receive(self, connection: h11.Connection, reader: asyncio.StreamReader) -> Received | None:
        """Read one request; None when the client has no more."""
        head: h11.Request | None = None
        body: list[bytes] = []
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(_CHUNK_BYTES))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return _received(head, b"".join(body), self._clock())
            else:
                return None


def _received(head: h11.Request, body: bytes, at: datetime) -> Received:
    path, _, query = head.target.decode("latin-1").partition("?")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    return Received(head.method.decode("latin-1"), path, query, headers, body, at)


async def _give(
    reply: Reply, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    if reply.manner is Manner.HANG:
        while await reader.read(_CHUNK_BYTES):
            pass
    elif reply.manner is Manner.RESET:
        _reset(writer)
    else:
        head, body = _head_and_body(reply, connection)
        await _write(reply, head, body, writer)


async def _write(reply: Reply, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
    if reply.manner is Manner.DRIP:
        writer.write(head)
        for position in range(len(body)):
            await asyncio.sleep(reply.pause.total_seconds())
            writer.write(body[position : position + 1])
            await writer.drain()
    elif reply.manner is Manner.RESET_MID_BODY:
        writer.write(head + body[: len(body) // 2])
        await writer.drain()
        _reset(writer)
    else:
        writer.write(head + body)
        await writer.drain()


def _head_and_body(reply: Reply, connection: h11.Connection) -> tuple[bytes, bytes]:
    body = b"" if reply.status_code in _NO_BODY else reply.body
    headers = [*reply.headers.items(), ("content-length", str(len(body)))]
    head = connection.send(h11.Response(status_code=reply.status_code, headers=headers))
    connection.send(h11.Data(data=body))
    connection.send(h11.EndOfMessage())
    return head or b"", body


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close the connection with a reset, as a crashed server or a broken load balancer does."""
    linger_for_no_time = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_no_time)
    writer.transport.abort()


def _why_not_listening(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use: choose another one, or 0 for any free one"
    return f"cannot listen on port {port} of {host}: {os.strerror(error.errno) if error.errno else error}"
