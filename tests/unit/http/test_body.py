"""A body is bounded in what it unpacks to, while it is unpacked."""

from __future__ import annotations

import gzip
import tracemalloc

import httpx
import pytest

from tests.unit.http.servers import LONG_TIMEOUT, answering, server
from watcher.http import Answer, AnswerTooLargeError, HttpClient, HttpError
from watcher.http.body import unpacked

MEGABYTE = 1024 * 1024


def packed(body: bytes) -> Answer:
    return Answer(200, httpx.Headers({"content-encoding": "gzip"}), body)


async def ask(encoding: bytes, body: bytes) -> Answer:
    head = b"HTTP/1.1 200 OK\r\n%s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(body))
    async with server(answering(head, body)) as url, HttpClient(LONG_TIMEOUT) as client:
        return await client.exchange(client.request("GET", url))


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize(
    "encoding",
    [
        b"Content-Encoding: gzip, gzip",
        b"Content-Encoding: gzip\r\nContent-Encoding: gzip",
        b"Content-Encoding: deflate",
        b"Content-Encoding: br",
        b"Content-Encoding: gz\xefp",
    ],
)
async def test_more_than_one_layer_of_gzip_is_refused_and_the_status_still_known(encoding: bytes) -> None:
    with pytest.raises(AnswerTooLargeError, match="content encoding that was not asked for") as raised:
        await ask(encoding, gzip.compress(gzip.compress(b"body")))

    assert raised.value.head.status_code == 200


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize("encoding", [b"Content-Encoding: GZIP", b"Content-Encoding: x-gzip"])
async def test_gzip_has_more_than_one_spelling_and_may_come_in_members(encoding: bytes) -> None:
    answer = await ask(encoding, gzip.compress(b"bo") + gzip.compress(b"dy"))

    assert answer.body == b"body"


@pytest.mark.usefixtures("transport")
async def test_gzip_that_ends_early_is_no_answer() -> None:
    with pytest.raises(HttpError, match="cannot be decompressed"):
        await ask(b"Content-Encoding: gzip", gzip.compress(b"body" * 1000)[:-9])


@pytest.mark.usefixtures("transport")
async def test_no_body_needs_no_unpacking() -> None:
    assert (await ask(b"Content-Encoding: gzip", b"")).body == b""


def test_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    bomb = packed(gzip.compress(b"0" * (100 * MEGABYTE)))
    tracemalloc.start()
    try:
        with pytest.raises(AnswerTooLargeError):
            unpacked(bomb, MEGABYTE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 4 * MEGABYTE


def test_a_bomb_of_many_small_members_is_bounded_as_well() -> None:
    with pytest.raises(AnswerTooLargeError):
        unpacked(packed(gzip.compress(b"0" * 10_000) * 200), MEGABYTE)
