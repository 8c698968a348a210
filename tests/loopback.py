"""A real HTTP server on loopback that receives what notifiers send, and fails on request."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

import h11


@dataclass(frozen=True)
class Received:
    """A request as it arrived; names of headers in lower case."""

    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """How a receiver answers a request."""

    status: int = 200
    body: bytes = b"ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    instead: Literal["hang", "reset", "not-http", "echo"] | None = None
    """Do not answer, reset the connection, send something that is not HTTP, or send back the request itself."""


class LoopbackReceiver:
    """A real HTTP server on loopback: records requests and sends its replies in turn, the last one repeatedly."""

    def __init__(self) -> None:
        self.replies = [Reply()]
        self.requests: list[Received] = []
        self.url = ""
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Start listening."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop, and cancel open exchanges."""
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    def answer(self, *replies: Reply) -> None:
        """Forget what has arrived, and send these replies in turn from now on."""
        self.replies = list(replies)
        self.requests.clear()

    def reply_to(self, received: Received) -> Reply:  # noqa: ARG002 - for receivers that read what they answer
        """Return the reply to a request."""
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._answer(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            connection, received = await _read(reader)
            self.requests.append(received)
            reply = self.reply_to(received)
            await _carry_out(reply, received, connection, writer)
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> tuple[h11.Connection, Received]:
    connection, head, body = h11.Connection(h11.SERVER), None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        else:
            assert head is not None
            headers = {name.decode(): value.decode() for name, value in head.headers}
            return connection, Received(head.target.decode(), headers, body)


async def _carry_out(
    reply: Reply, received: Received, connection: h11.Connection, writer: asyncio.StreamWriter
) -> None:
    match reply.instead:
        case "hang":
            await asyncio.Event().wait()
        case "reset":
            linger_zero = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)
            writer.transport.abort()
        case "not-http":
            writer.write(b"220 mail.invalid ESMTP\r\n")
        case _:
            writer.write(_answer_bytes(reply, received, connection))
            await writer.drain()


def _answer_bytes(reply: Reply, received: Received, connection: h11.Connection) -> bytes:
    body = f"{received.target}\n{dict(received.headers)}".encode() if reply.instead == "echo" else reply.body
    bodiless = reply.status in {204, 205, 304}
    headers = {"connection": "close", "content-length": str(0 if bodiless else len(body)), **reply.headers}
    parts = [connection.send(h11.Response(status_code=reply.status, headers=list(headers.items())))]
    if not bodiless:
        parts.append(connection.send(h11.Data(data=body)))
    return b"".join(part for part in parts if part)
