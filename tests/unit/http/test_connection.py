"""A connection serves one exchange after the other, as long as it can be trusted."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.http.servers import LONG_TIMEOUT, OK, connections
from watcher.http import Bounds, HttpClient, HttpError

pytestmark = pytest.mark.usefixtures("transport")


class Counting:
    """A server that counts the connections it got, and answers each request with `answer`."""

    def __init__(self, answer: bytes = OK) -> None:
        self.answer = answer
        self.opened = 0
        self.url = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(self.answer)
            await writer.drain()
            if b"close" in self.answer:
                return


@asynccontextmanager
async def asked(counting: Counting, bounds: Bounds = LONG_TIMEOUT) -> AsyncIterator[HttpClient]:
    async with connections(counting) as counting.url, HttpClient(bounds) as client:
        yield client


async def ask(client: HttpClient, url: str) -> bytes:
    return (await client.exchange(client.request("GET", url))).body


async def settled() -> None:
    """Let what the server has sent arrive."""
    await asyncio.sleep(0.05)


async def test_exchanges_one_after_the_other_share_a_connection() -> None:
    counting = Counting()
    async with asked(counting) as client:
        assert [await ask(client, counting.url) for _ in range(3)] == [b"ok"] * 3

    assert counting.opened == 1


class Gathering(Counting):
    """A server that answers none of `size` requests before it has all of them: they are under way at the same time."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.together = asyncio.Barrier(size)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        while await reader.readuntil(b"\r\n\r\n"):
            await self.together.wait()
            writer.write(self.answer)
            await writer.drain()


async def test_exchanges_at_the_same_time_have_a_connection_each_and_keep_it() -> None:
    counting = Gathering(4)
    async with asked(counting) as client:
        for _ in range(3):
            await asyncio.gather(*(ask(client, counting.url) for _ in range(4)))

    assert counting.opened == 4


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: close\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["said so", "did not say so"],
)
async def test_a_connection_that_ends_is_replaced(answer: bytes) -> None:
    counting = Counting(answer)
    async with asked(counting) as client:
        for _ in range(3):
            assert await ask(client, counting.url) == b"ok"
            await settled()

    assert counting.opened == 3


async def test_what_comes_unasked_is_not_taken_for_an_answer() -> None:
    opened = 0

    async def speaking_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")

    async with connections(speaking_up) as url, HttpClient(LONG_TIMEOUT) as client:
        for _ in range(2):
            assert await ask(client, url) == b"ok"
            await settled()

    assert opened == 2


async def test_a_client_may_keep_none() -> None:
    counting = Counting()
    async with asked(counting, replace(LONG_TIMEOUT, keeps_connections=False)) as client:
        assert [await ask(client, counting.url) for _ in range(3)] == [b"ok"] * 3

    assert counting.opened == 3


async def test_a_connection_goes_to_one_server_only_and_waits_for_its_next_request() -> None:
    one, other = Counting(), Counting(OK.replace(b"ok", b"no"))
    async with connections(one) as one.url, connections(other) as other.url, HttpClient(LONG_TIMEOUT) as client:
        said = [await ask(client, url) for url in (one.url, other.url, one.url)]

    assert said == [b"ok", b"no", b"ok"]
    assert (one.opened, other.opened) == (1, 1)


async def test_a_failed_exchange_costs_its_connection_only() -> None:
    counting = Counting(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    async with asked(counting, replace(LONG_TIMEOUT, timeout=LONG_TIMEOUT.timeout / 50)) as client:
        with pytest.raises(HttpError):
            await ask(client, counting.url)
        counting.answer = OK
        assert [await ask(client, counting.url) for _ in range(2)] == [b"ok"] * 2

    assert counting.opened == 2


async def test_an_exchange_that_is_cancelled_leaves_nothing_to_the_next_one() -> None:
    counting = Counting(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    async with asked(counting) as client:
        under_way = asyncio.create_task(ask(client, counting.url))
        await settled()
        under_way.cancel()
        await asyncio.wait([under_way])
        counting.answer = OK
        assert await ask(client, counting.url) == b"ok"

    assert counting.opened == 2


async def test_a_cancellation_at_the_moment_of_the_answer_is_not_lost() -> None:
    """What goes on after it would never end, as `watch` did after Ctrl-C."""
    counting = Counting()
    async with asked(counting) as client:
        for number in range(300):
            under_way = asyncio.create_task(ask(client, counting.url))
            await asyncio.sleep(number * 10e-6)
            is_cancelled = under_way.cancel()
            await asyncio.wait([under_way])
            assert under_way.cancelled() == is_cancelled


@pytest.mark.parametrize("is_cancelled", [False, True], ids=["timed out", "cancelled"])
async def test_an_exchange_that_is_given_up_leaves_no_connection_behind(*, is_cancelled: bool) -> None:
    """A server that hangs would else use up all descriptors of the process, one at each poll."""
    ended = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.read(1) == b""
        ended.set()

    async with connections(hang) as url, HttpClient(replace(LONG_TIMEOUT, timeout=timedelta(seconds=0.2))) as client:
        under_way = asyncio.create_task(ask(client, url))
        if is_cancelled:
            await settled()
            under_way.cancel()
            await asyncio.wait([under_way])
        else:
            with pytest.raises(HttpError, match=r"no answer within 0\.2 s"):
                await under_way
        async with asyncio.timeout(10):
            await ended.wait()


class Forgetful:
    """A server that answers so many requests on each connection, and ends it at the one after."""

    def __init__(self, answered: int, *, resets: bool) -> None:
        self.requests = 0
        self._answered = answered
        self._resets = resets

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(self._answered + 1):
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            if number < self._answered:
                writer.write(OK)
                await writer.drain()
        if self._resets:
            writer.transport.abort()


@pytest.mark.parametrize("resets", [False, True])
async def test_a_get_that_meets_the_end_of_a_kept_connection_is_sent_once_more(*, resets: bool) -> None:
    forgetful = Forgetful(1, resets=resets)
    async with connections(forgetful) as url, HttpClient(LONG_TIMEOUT) as client:
        assert [await ask(client, url) for _ in range(3)] == [b"ok"] * 3

    assert forgetful.requests == 5


async def test_a_post_that_meets_the_end_of_a_kept_connection_is_not_sent_again() -> None:
    forgetful = Forgetful(1, resets=False)
    async with connections(forgetful) as url, HttpClient(LONG_TIMEOUT) as client:
        assert await ask(client, url) == b"ok"
        with pytest.raises(HttpError, match="broke off"):
            await client.exchange(client.request("POST", url))

    assert forgetful.requests == 2


async def test_a_connection_that_ends_in_the_middle_of_an_answer_is_an_error_at_once() -> None:
    counting = Counting()
    async with asked(counting) as client:
        assert await ask(client, counting.url) == b"ok"
        counting.answer = b"HTTP/1.1 200 OK\r\nX: close\r\nContent-Length: 9\r\n\r\nhalf"
        with pytest.raises(HttpError, match="broke off"):
            await ask(client, counting.url)

    assert counting.opened == 1


async def test_a_new_connection_that_ends_is_an_error_at_once() -> None:
    forgetful = Forgetful(0, resets=False)
    async with connections(forgetful) as url, HttpClient(LONG_TIMEOUT) as client:
        with pytest.raises(HttpError, match="broke off"):
            await ask(client, url)

    assert forgetful.requests == 1


@pytest.mark.process
def test_a_process_that_ends_at_once_ends_well(transport: str) -> None:
    """A thread of the Rust transport that still talks to Python while the interpreter ends would abort the process."""
    program = """
        import asyncio
        from datetime import timedelta
        from watcher.http import Bounds, HttpClient, HttpError

        async def main():
            async with HttpClient(Bounds(timedelta(seconds=5), 50, 1000)) as client:
                request = client.request("GET", "http://127.0.0.1:9/")
                await asyncio.gather(*(client.exchange(request) for _ in range(50)), return_exceptions=True)

        asyncio.run(main())
    """
    for _ in range(5):
        command = [sys.executable, "-c", textwrap.dedent(program)]
        ended = subprocess.run(command, capture_output=True, check=False, timeout=20)
        assert (ended.returncode, ended.stderr) == (0, b"")
