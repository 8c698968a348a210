"""Limits on connections: other clients are answered, and the rest of the service goes on."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.doubles import RecordingLog
from watcher.server.connections import LONGEST_HEAD, READ_SIZE, Bounds, Connections, affordable_bounds
from watcher.server.listening import Listen
from watcher.server.serving import serving

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
SOON = 0.05
"""Seconds: a bound that a test waits for."""


class Served:
    """A server with an application whose answers can be held back."""

    def __init__(self, log: RecordingLog) -> None:
        self.log = log
        self.listen = Listen()
        self.held = asyncio.Event()
        self.under_way = asyncio.Semaphore(0)
        self.writers: list[asyncio.StreamWriter] = []

    def app(self) -> Starlette:
        async def hello(_request: Request) -> Response:
            return PlainTextResponse("hello")

        async def hold(_request: Request) -> Response:
            self.under_way.release()
            await self.held.wait()
            return PlainTextResponse("held")

        async def endless(_request: Request) -> Response:
            async def pieces() -> AsyncIterator[bytes]:
                while True:
                    yield b" " * 1_000_000
                    await asyncio.sleep(0)

            return StreamingResponse(pieces())

        async def count(request: Request) -> Response:
            try:
                return PlainTextResponse(str(len(await request.body())))
            except ClientDisconnect:
                return PlainTextResponse("gone")

        routes = [Route("/", hello), Route("/hold", hold), Route("/endless", endless)]
        return Starlette(routes=[*routes, Route("/count", count, methods=["POST"])])

    async def connect(self, source: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(self.listen.host, self.listen.port, local_addr=(source, 0))
        self.writers.append(writer)
        return reader, writer

    async def answer(self, request: bytes = GET, source: str = "127.0.0.1") -> bytes:
        """Ask on a connection of its own; return the last line of what comes back, nothing from one that is closed."""
        reader, writer = await self.connect(source)
        with suppress(ConnectionError):
            writer.write(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            return (await reader.read()).rpartition(b"\r\n")[2]
        return b""


@asynccontextmanager
async def served(bounds: Bounds) -> AsyncIterator[Served]:
    server = Served(RecordingLog())
    async with serving(server.app(), Listen("127.0.0.1", 0), server.log, bounds) as server.listen:
        yield server
        server.held.set()
        for writer in server.writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in server.writers), return_exceptions=True)


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Wait for the other side to close the connection; what it sends before does not matter."""
    with suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 10)
    return True


@pytest.mark.parametrize("begin", [b"", b"GET / HT", GET[:-2]], ids=["nothing", "half a line", "all but the end"])
async def test_a_request_that_does_not_come_is_not_waited_for(begin: bytes) -> None:
    async with served(Bounds(head_seconds=SOON)) as server:
        reader, writer = await server.connect()
        writer.write(begin)
        assert await is_closed(reader)


async def test_a_request_that_comes_byte_by_byte_has_no_more_time() -> None:
    async with served(Bounds(head_seconds=SOON)) as server:
        reader, writer = await server.connect()
        closing = asyncio.create_task(is_closed(reader))
        with suppress(ConnectionError):
            for byte in GET[:-2] + b"X: " + b"x" * 40 * len(GET):
                writer.write(bytes([byte]))
                await asyncio.sleep(SOON / 20)
                if closing.done():
                    break
        assert closing.done()


async def test_the_next_request_on_a_connection_is_waited_for_as_long_and_no_longer() -> None:
    async with served(Bounds(head_seconds=SOON, idle_seconds=60)) as server:
        reader, writer = await server.connect()
        writer.write(GET)
        assert (await reader.readuntil(b"hello")).endswith(b"hello")
        assert await is_closed(reader)


async def test_an_answer_that_nobody_takes_is_given_up() -> None:
    async with served(Bounds(answer_seconds=SOON)) as server:
        reader, writer = await server.connect()
        writer.write(GET.replace(b"/ ", b"/endless "))
        await asyncio.sleep(2 * SOON)  # takes nothing meanwhile
        assert await is_closed(reader)


async def test_the_connection_that_has_been_silent_for_longest_makes_room() -> None:
    async with served(Bounds(connections=3, per_address=3)) as server:
        silent = [await server.connect() for _ in range(3)]
        await asyncio.sleep(0)
        silent[0][1].write(GET)
        assert (await silent[0][0].readuntil(b"hello")).endswith(b"hello")
        assert await server.answer() == b"hello"
        assert await is_closed(silent[1][0])
        assert not silent[0][0].at_eof()
        assert not silent[2][0].at_eof()
    assert server.log.lines[1:] == [
        ("warning", "HTTP connections dropped: too many at once", {"dropped": 1, "open": 2})
    ]


async def test_silent_connections_keep_nobody_out() -> None:
    async with served(Bounds(connections=4, per_address=4)) as server:
        silent = [await server.connect() for _ in range(40)]
        assert await server.answer() == b"hello"
        assert all([await is_closed(reader) for reader, _ in silent[:36]])
    assert server.log.events("warning") == ["HTTP connections dropped: too many at once"]


async def test_one_address_takes_no_more_than_its_share() -> None:
    async with served(Bounds(connections=4, per_address=2)) as server:
        other = await server.connect("127.0.0.2")
        silent = [await server.connect() for _ in range(9)]
        assert await server.answer() == b"hello"
        assert all([await is_closed(reader) for reader, _ in silent[:7]])
        other[1].write(GET)
        assert (await other[0].readuntil(b"hello")).endswith(b"hello")


async def test_what_is_being_answered_makes_no_room() -> None:
    async with served(Bounds(connections=4, per_address=2)) as server:
        held = [asyncio.create_task(server.answer(GET.replace(b"/ ", b"/hold "))) for _ in range(2)]
        for _ in held:
            await server.under_way.acquire()
        assert await server.answer() == b""
        assert await server.answer(source="127.0.0.2") == b"hello"
        server.held.set()
        assert await asyncio.gather(*held) == [b"held", b"held"]


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"GET /" + b"x" * 60_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", id="a long line"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10_000 + b"\r\n", id="many headers"),
        pytest.param(b"\x16\x03\x01" + b"\r\n" * 4, id="another protocol"),
    ],
)
async def test_what_cannot_be_read_is_refused_in_words(request_: bytes) -> None:
    async with served(Bounds()) as server:
        assert await server.answer(request_) == (
            b"This is no HTTP/1.1 request, or its first lines are longer than %d bytes.\n" % LONGEST_HEAD
        )


async def test_a_body_of_tiny_pieces_arrives_all_the_same() -> None:
    pieces = b"1\r\nx\r\n" * (4 * READ_SIZE // 6) + b"0\r\n\r\n"
    head = b"POST /count HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with served(Bounds()) as server:
        assert await server.answer(head + pieces) == str(4 * READ_SIZE // 6).encode()


def test_reading_takes_a_fifth_of_the_time_and_ordinary_requests_wait_for_nothing() -> None:
    connections = Connections(Bounds(), RecordingLog())
    assert [connections.charge(0.0002, now) for now in (1.0, 1.001, 1.002)] == [0, 0, 0]
    assert connections.charge(0.1, 2.0) == pytest.approx(0.5)
    assert connections.charge(0.1, 2.1) == pytest.approx(0.9)
    assert connections.charge(0.0002, 4.0) == 0


@pytest.mark.parametrize(
    ("descriptors", "connections"),
    [(resource.RLIM_INFINITY, 128), (1_048_576, 128), (1024, 128), (256, 64), (3, 1)],
)
def test_polling_and_delivering_keep_three_quarters_of_the_descriptors(descriptors: int, connections: int) -> None:
    assert affordable_bounds(descriptors).connections == connections
