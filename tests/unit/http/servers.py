"""Servers on loopback that send what an HTTP library would not let us send."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import trustme

from watcher.http import Bounds

QUICK = Bounds(timedelta(seconds=0.3), at_once=4, size_limit=1000)
PATIENT = Bounds(timedelta(seconds=5), at_once=4, size_limit=100_000)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(handle: Handler) -> AsyncIterator[str]:
    """Hand each connection over once its first request has arrived, and close it afterwards."""

    async def first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await handle(reader, writer)

    async with connections(first) as url:
        yield url


@asynccontextmanager
async def connections(handle: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Hand each connection over as it is opened, and close it afterwards."""
    open_ones: set[asyncio.Task[None]] = set()

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await handle(reader, writer)
        finally:
            writer.close()

    def start(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.add(asyncio.create_task(closing(reader, writer)))

    listening = await asyncio.start_server(start, "127.0.0.1", 0, ssl=tls)
    try:
        scheme = "https" if tls else "http"
        yield f"{scheme}://127.0.0.1:{listening.sockets[0].getsockname()[1]}/hooks/very-secret"
    finally:
        listening.close()
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)
        await asyncio.sleep(0)  # asyncio closes the sockets in its next turn


def answering(*pieces: bytes, pause: float = 0.0) -> Handler:
    """Write the pieces, whatever was asked, with a pause after each."""

    async def handle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return handle


class Authority:
    """A certificate authority on disk, with the files that each side needs."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        self.trusted = directory / "ca.pem"
        self.client_cert, self.client_key = directory / "client.pem", directory / "client.key"
        authority.cert_pem.write_to_path(self.trusted)
        client = authority.issue_cert("watcher@example.com")
        client.cert_chain_pems[0].write_to_path(self.client_cert)
        client.private_key_pem.write_to_path(self.client_key)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self.server)
        authority.configure_trust(self.server)
