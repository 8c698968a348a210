"""Ways to ask for a job over HTTP, compared: what `watcher.http` is made of, and what it might be made of.

Each is entered with the API's base URL and how many requests are in flight, and gives a function that asks for a job
and returns the body of the answer.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx

Ask = Callable[[str], Awaitable[object]]
Door = Callable[[str, int], AbstractAsyncContextManager[Ask]]

HEADERS = {"Authorization": "Bearer sk-benchmark"}
SECONDS = 15.0


@asynccontextmanager
async def one_client(
    base_url: str, concurrency: int, library: str = "httpx", *, kept: bool = False
) -> AsyncIterator[Ask]:
    """Go through one client and its pool, with the usual limits, or as many connections kept as are used."""
    http: Any = importlib.import_module(library)
    limits = {"limits": http.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)} if kept else {}
    async with http.AsyncClient(headers=HEADERS, timeout=SECONDS, **limits) as client:

        async def ask(job_id: str) -> object:
            return (await client.get(f"{base_url}/fine_tuning/jobs/{job_id}")).content

        yield ask


@asynccontextmanager
async def several_clients(base_url: str, concurrency: int, connections: int) -> AsyncIterator[Ask]:
    """Go through several clients of so many connections each, so that no pool is long."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    tls = httpx.create_ssl_context()
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(headers=HEADERS, timeout=SECONDS, limits=limits, verify=tls)
            )
            for _ in range(-(-concurrency // connections))
        ]
        idle = clients * connections

        async def ask(job_id: str) -> object:
            client = idle.pop()
            try:
                return (await client.get(f"{base_url}/fine_tuning/jobs/{job_id}")).content
            finally:
                idle.append(client)

        yield ask


@asynccontextmanager
async def transports(base_url: str, concurrency: int, library: str) -> AsyncIterator[Ask]:
    """Use the library's transports directly, one for each connection."""
    http: Any = importlib.import_module(library)
    limits = http.Limits(max_connections=1, max_keepalive_connections=1)
    tls: ssl.SSLContext = http.create_ssl_context()
    async with AsyncExitStack() as stack:
        idle = [
            await stack.enter_async_context(http.AsyncHTTPTransport(verify=tls, limits=limits))
            for _ in range(concurrency)
        ]

        async def ask(job_id: str) -> object:
            transport = idle.pop()
            try:
                return await _body(
                    transport, http.Request("GET", f"{base_url}/fine_tuning/jobs/{job_id}", headers=HEADERS)
                )
            finally:
                idle.append(transport)

        yield ask


@asynccontextmanager
async def over_aiohttp(base_url: str, concurrency: int) -> AsyncIterator[Ask]:
    """Use the transport of httpx-aiohttp directly."""
    from httpx_aiohttp import AiohttpTransport

    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with AiohttpTransport(limits=limits) as transport:

        async def ask(job_id: str) -> object:
            return await _body(
                transport, httpx.Request("GET", f"{base_url}/fine_tuning/jobs/{job_id}", headers=HEADERS)
            )

        yield ask


@asynccontextmanager
async def aiohttp_itself(base_url: str, concurrency: int) -> AsyncIterator[Ask]:
    """Use aiohttp, without httpx."""
    import aiohttp

    connector, timeout = aiohttp.TCPConnector(limit=concurrency), aiohttp.ClientTimeout(SECONDS)
    async with aiohttp.ClientSession(headers=HEADERS, connector=connector, timeout=timeout) as session:

        async def ask(job_id: str) -> object:
            async with session.get(f"{base_url}/fine_tuning/jobs/{job_id}") as response:
                return await response.read()

        yield ask


@asynccontextmanager
async def pyreqwest_itself(base_url: str, concurrency: int) -> AsyncIterator[Ask]:
    """Use pyreqwest, without httpx."""
    from pyreqwest.client import ClientBuilder

    builder = ClientBuilder().default_headers(HEADERS).timeout(timedelta(seconds=SECONDS)).max_connections(concurrency)
    async with builder.build() as client:

        async def ask(job_id: str) -> object:
            response = await client.get(f"{base_url}/fine_tuning/jobs/{job_id}").build().send()
            return await response.bytes()

        yield ask


@asynccontextmanager
async def over_pyreqwest(base_url: str, concurrency: int) -> AsyncIterator[Ask]:
    """Use pyreqwest's own transport for httpx directly."""
    from pyreqwest.compatibility.httpx import HttpxTransport

    async with HttpxTransport() as transport:

        async def ask(job_id: str) -> object:
            return await _body(
                transport, httpx.Request("GET", f"{base_url}/fine_tuning/jobs/{job_id}", headers=HEADERS)
            )

        yield ask


@asynccontextmanager
async def ours(base_url: str, concurrency: int, transport: str) -> AsyncIterator[Ask]:
    """Use what the watcher uses, with all its bounds."""
    from watcher.http import Bounds, HttpClient

    os.environ["WATCHER_HTTP_TRANSPORT"] = transport
    bounds = Bounds(timedelta(seconds=SECONDS), concurrency, 1024 * 1024)
    async with HttpClient(bounds, headers=HEADERS) as client:

        async def ask(job_id: str) -> object:
            return (await client.exchange(client.request("GET", f"{base_url}/fine_tuning/jobs/{job_id}"))).body

        yield ask


@asynccontextmanager
async def raw(base_url: str, concurrency: int) -> AsyncIterator[Ask]:
    """Write the least to sockets, and look for the end of what comes: a bound, and no HTTP."""
    address, loop = urlsplit(base_url), asyncio.get_running_loop()
    rest = f" HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer sk-benchmark\r\n\r\n"
    host, port = address.netloc.split(":")
    idle = [(await loop.create_connection(_Raw, host, int(port)))[1] for _ in range(concurrency)]

    async def ask(job_id: str) -> object:
        connection = idle.pop()
        try:
            return await connection.ask(f"GET {address.path}/fine_tuning/jobs/{job_id}{rest}".encode())
        finally:
            idle.append(connection)

    yield ask
    for connection in idle:
        connection.transport.close()


class _Raw(asyncio.Protocol):
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        self._read = b""
        self._answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        if end and len(body) == int(head.rpartition(b"content-length: ")[2]):
            self._answer.set_result(body)


async def _body(transport: Any, request: Any) -> bytes:
    async with asyncio.timeout(SECONDS):
        response = await transport.handle_async_request(request)
        try:
            return bytes(await response.aread())
        finally:
            await response.aclose()


DOORS: dict[str, Door] = {
    "httpx client": one_client,
    "httpx client, all connections kept": partial(one_client, kept=True),
    "httpx2 client, all connections kept": partial(one_client, library="httpx2", kept=True),
    "httpx clients of 5 connections": partial(several_clients, connections=5),
    "httpx clients of 1 connection": partial(several_clients, connections=1),
    "httpx transports of 1 connection": partial(transports, library="httpx"),
    "httpx2 transports of 1 connection": partial(transports, library="httpx2"),
    "httpx-aiohttp transport": over_aiohttp,
    "aiohttp": aiohttp_itself,
    "pyreqwest": pyreqwest_itself,
    "pyreqwest transport of httpx": over_pyreqwest,
    "watcher.http": partial(ours, transport="pyreqwest"),
    "watcher.http over httpx": partial(ours, transport="httpx"),
    "raw sockets": raw,
}
