"""The server under both speaks HTTP/1.1 as clients expect, and does not hide a fault of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from watcher.errors import ConfigurationError
from watcher.simulator.server import HOST, LoopbackServer, Manner, Received, Reply


async def echo(received: Received) -> Reply:
    return Reply(200, {"x-method": received.method}, received.body or b"nothing")


async def exchange(address: str, *messages: bytes) -> bytes:
    """Send bytes over one connection, and return all that comes until the server closes it."""
    reader, writer = await asyncio.open_connection(HOST, int(address.rpartition(":")[2]))
    try:
        for message in messages:
            writer.write(message)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 2)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_connection_serves_one_request_after_the_other() -> None:
    peers = set()

    async def note_peer(received: Received) -> Reply:
        peers.add(received.headers["host"])
        return Reply(body=b"x" * 100_000)

    async with LoopbackServer(note_peer) as server:
        request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
        last = b"GET / HTTP/1.1\r\nhost: b\r\nconnection: close\r\n\r\n"
        after_answer = await exchange(server.address, request, request, last)
    assert after_answer.count(b"HTTP/1.1 200") == 3
    assert peers == {"a", "b"}


async def test_a_body_in_chunks_is_put_together() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    async with LoopbackServer(echo) as server, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(server.address, content=chunks())).text == "one two"


@pytest.mark.parametrize(("method", "status_code"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_an_answer_that_has_no_body_gets_none(method: str, status_code: int) -> None:
    async def answer(_: Received) -> Reply:
        return Reply(status_code, body=b"too much")

    async with LoopbackServer(answer) as server, httpx.AsyncClient(trust_env=False) as client:
        for _ in range(2):
            after_answer = await client.request(method, server.address)
            assert (after_answer.status_code, after_answer.content) == (status_code, b"")


@pytest.mark.parametrize("nonsense", [b"EHLO mail\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
async def test_what_is_no_http_is_refused(nonsense: bytes) -> None:
    async with LoopbackServer(echo) as server:
        assert (await exchange(server.address, nonsense)).startswith(b"HTTP/1.1 400 ")


async def test_a_client_that_goes_away_is_no_fault() -> None:
    async def drip(_: Received) -> Reply:
        return Reply(body=b"x" * 200, manner=Manner.DRIP, pause=timedelta(milliseconds=0.5))

    async with LoopbackServer(drip) as server:
        reader, writer = await asyncio.open_connection(HOST, int(server.address.rpartition(":")[2]))
        writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(server.address)).content == b"x" * 200


async def test_a_hang_lasts_until_the_client_leaves() -> None:
    async def hang(_: Received) -> Reply:
        return Reply(manner=Manner.HANG)

    async with LoopbackServer(hang) as server:
        reader, writer = await asyncio.open_connection(HOST, int(server.address.rpartition(":")[2]))
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(), 0.02)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()
        await writer.wait_closed()


async def test_a_fault_in_answering_is_raised_at_the_end() -> None:
    async def fail(_: Received) -> Reply:
        raise ZeroDivisionError

    server = LoopbackServer(fail)
    await server.__aenter__()
    assert await exchange(server.address, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n") == b""
    with pytest.raises(ZeroDivisionError):
        await server.__aexit__(None, None, None)


async def test_stopping_ends_what_hangs() -> None:
    async def hang(_: Received) -> Reply:
        return Reply(manner=Manner.HANG)

    async with httpx.AsyncClient(trust_env=False) as client:
        async with LoopbackServer(hang) as server:
            request = asyncio.create_task(client.get(server.address))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(request), 0.05)
        with pytest.raises(httpx.TransportError):
            await request


async def test_an_address_that_cannot_be_had_is_reported() -> None:
    with pytest.raises(ConfigurationError, match=r"cannot listen on port 0 of 192\.0\.2\.1: Cannot assign"):
        await LoopbackServer(echo, host="192.0.2.1").__aenter__()  # an address for documentation


async def test_a_port_in_use_is_reported() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} on {HOST} is in use: choose another one"):
            await LoopbackServer(echo, port=port).__aenter__()
