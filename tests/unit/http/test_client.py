"""A client keeps its bounds on every route, and its errors contain no addresses."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tests.unit.http.servers import SHORT_TIMEOUT, Handler, answering, server
from watcher.http import Answer, AnswerTooLargeError, Bounds, HttpClient, HttpError

Ask = Callable[[Handler], Awaitable[Answer]]

pytestmark = pytest.mark.usefixtures("transport")


@pytest.fixture(params=["straight", "proxied"])
def ask(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Make one request of a server that behaves as told: straight, or with that server as the proxy."""

    async def exchange(handle: Handler) -> Answer:
        async with server(handle) as url:
            address = url
            if request.param == "proxied":
                monkeypatch.setenv("HTTP_PROXY", url)
                address = "http://api.example.invalid/hooks/very-secret"
            async with HttpClient(SHORT_TIMEOUT) as client:
                return await client.exchange(client.request("GET", address))

    return exchange


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-A: b\r\n\r\n", b"bo", b"dy"),
        (b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nbo", b"dy"),
        (b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n", b"2\r\ndy\r\n0\r\n\r\n"),
        (b"HTTP/1.1 103 Early Hints\r\nX-A: c\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-A: b\r\n\r\nbody"),
        (b"HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nbody",),
    ],
    ids=["length", "until closed", "chunked", "after hints", "1.0"],
)
async def test_an_answer_is_read_whole_in_whatever_form_it_comes(ask: Ask, pieces: tuple[bytes, ...]) -> None:
    answer = await ask(answering(*pieces))

    assert (answer.status_code, answer.body, answer.headers["x-a"]) == (200, b"body", "b")


@pytest.mark.parametrize("size", [1000, 1001])
@pytest.mark.parametrize("coding", [b"gzip", b"identity"])
async def test_a_body_may_be_as_large_as_the_limit(ask: Ask, coding: bytes, size: int) -> None:
    body = gzip.compress(b"x" * size) if coding == b"gzip" else b"x" * size
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(body))

    if size == SHORT_TIMEOUT.size_limit:
        assert (await ask(answering(head, body))).body == b"x" * size
    else:
        with pytest.raises(AnswerTooLargeError):
            await ask(answering(head, body))


async def test_the_headers_of_an_answer_are_found_by_name_in_any_case(ask: Ask) -> None:
    answer = await ask(
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: 1\r\nX-A: 2\r\nX-B: 3\r\nX-C: \xef\r\n\r\n")
    )

    assert (answer.headers["X-a"], answer.headers.get("x-B"), answer.headers.get("x-d")) == ("1, 2", "3", None)
    assert "x-d" not in answer.headers
    assert "X-C" in answer.headers
    told = {name: value for name, value in answer.headers.items() if name != "x-c"}
    assert told == {"content-length": "0", "x-a": "1, 2", "x-b": "3"}


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"]
)
async def test_a_body_over_the_limit_is_refused_while_it_is_read(ask: Ask, head: bytes) -> None:
    sent = 0

    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(head)
        while sent < 50_000_000:
            writer.write(b"x" * 500)
            await writer.drain()
            sent += 500

    with pytest.raises(AnswerTooLargeError, match="larger than 1,000 bytes") as raised:
        await ask(endless)
    assert sent < 50_000_000
    assert (raised.value.head.status_code, raised.value.head.body) == (200, b"")


async def test_a_bomb_is_measured_unpacked(ask: Ask) -> None:
    bomb = gzip.compress(b"0" * 1_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)

    with pytest.raises(AnswerTooLargeError):
        await ask(answering(head, bomb))


@pytest.mark.parametrize("coding", [b"gzip", b"identity"])
async def test_a_packed_answer_is_unpacked(ask: Ask, coding: bytes) -> None:
    body = gzip.compress(b"body") if coding == b"gzip" else b"body"
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(body))

    assert (await ask(answering(head, body))).body == b"body"


async def test_a_server_that_hangs_is_given_up(ask: Ask) -> None:
    with pytest.raises(HttpError, match=r"no answer within 1 s"):
        await ask(answering(b"", pause=5))


async def test_a_server_that_drips_is_given_up_as_a_whole(ask: Ask) -> None:
    """Each byte comes in time, the answer never does."""
    drip = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", *[b"x"] * 100, pause=0.05)

    with pytest.raises(HttpError, match=r"no answer within 1 s"):
        await ask(drip)


@pytest.mark.parametrize(
    ("handle", "words"),
    [
        (answering(b"this is not HTTP\r\n\r\n"), "does not speak HTTP"),
        (answering(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000), "does not speak HTTP"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "broke off"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"), "decompressed"),
        (answering(), "broke off"),
    ],
)
async def test_what_is_no_answer_is_said_in_words(ask: Ask, handle: Handler, words: str) -> None:
    with pytest.raises(HttpError, match=words):
        await ask(handle)


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"])
async def test_a_connection_that_is_reset_is_said_to_be(ask: Ask, begun: bytes) -> None:
    async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(1, 13, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
        writer.transport.abort()

    with pytest.raises(HttpError, match="the connection broke while reading: Connection reset by peer"):
        await ask(reset)


async def test_no_error_repeats_an_address() -> None:
    async with HttpClient(SHORT_TIMEOUT) as client:
        with pytest.raises(HttpError, match="cannot connect") as raised:
            await client.exchange(client.request("GET", "http://127.0.0.1:9/hooks/very-secret"))

    assert str(raised.value) == "cannot connect: Connection refused"
    assert raised.value.__cause__ is None


async def test_an_address_that_leads_nowhere_is_said_to_be() -> None:
    async with HttpClient(Bounds(timedelta(seconds=20), 1, 1000)) as client:
        with pytest.raises(HttpError, match=r"cannot connect: ") as raised:
            await client.exchange(client.request("GET", "http://nobody.invalid/hooks/very-secret"))

    assert "secret" not in str(raised.value)
    assert "invalid" not in str(raised.value)


async def test_redirects_are_answers_and_cookies_are_not_kept() -> None:
    seen: list[bytes] = []

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            seen.append(await reader.readuntil(b"\r\n\r\n"))

    async with server(redirect) as url, HttpClient(SHORT_TIMEOUT) as client:
        request = client.request("GET", url)
        assert (await client.exchange(request)).status_code == 302
        assert (await client.exchange(request)).status_code == 302

    assert b"cookie" not in seen[0].lower()
    assert b"User-Agent: finetune-watcher/" in seen[0]


async def test_no_more_than_allowed_is_in_flight() -> None:
    now_open = most = 0

    async def count(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal now_open, most
        now_open += 1
        most = max(most, now_open)
        await asyncio.sleep(0.01)
        now_open -= 1
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    async with server(count) as url, HttpClient(Bounds(timedelta(seconds=5), 3, 1000)) as client:
        await asyncio.gather(*(client.exchange(client.request("GET", url)) for _ in range(12)))

    assert most == 3


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://[::1", "InvalidURL"),
        ("http://exa mple/\x00", "InvalidURL"),
        ("ftp://127.0.0.1/hooks/very-secret", "the address is not http:// or https://"),
        ("/hooks/very-secret", "the address is not http:// or https://"),
        ("http:///hooks/very-secret", "the address is not http:// or https://"),
    ],
)
async def test_an_unusable_address_is_a_value_error(url: str, words: str) -> None:
    async with HttpClient(SHORT_TIMEOUT) as client:
        with pytest.raises(ValueError, match=f"^{words}$"):
            client.request("GET", url)


async def test_a_request_carries_what_the_client_and_the_caller_add_to_it() -> None:
    seen: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readexactly(4))
        await answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(reader, writer)

    headers = {"X-A": "client", "X-B": "client"}
    async with server(note) as url, HttpClient(SHORT_TIMEOUT, headers=headers) as client:
        request = client.request("POST", f"{url}?limit=100", content=b"body", headers={"X-B": "caller"})
        assert (await client.exchange(request)).status_code == 200

    assert str(request.url).endswith("?limit=100")
    assert (request.headers["x-a"], request.headers["x-b"]) == ("client", "caller")
    assert seen == [b"body"]


async def test_what_is_added_to_one_request_is_not_in_the_next_one() -> None:
    async with HttpClient(SHORT_TIMEOUT) as client:
        client.request("GET", "http://127.0.0.1/a")
        client.request("GET", "http://127.0.0.1/a", headers={"X-A": "b"})
        client.request("GET", "http://user:secret@127.0.0.1/a")
        client.request("GET", "http://127.0.0.2/a", content=b"body")
        requests = [client.request("GET", f"http://127.0.0.{host}/b") for host in (1, 2)]

    names = {"accept", "accept-encoding", "user-agent"}
    assert [set(request.headers) for request in requests] == [names, names]


async def test_who_is_named_in_the_address_is_named_to_the_server() -> None:
    async with HttpClient(SHORT_TIMEOUT) as client:
        request = client.request("GET", "http://user:p%40ss@127.0.0.1/")

    assert request.headers["authorization"] == "Basic dXNlcjpwQHNz"


@pytest.mark.parametrize("value", ["two\nlines", "ni\xf1o"])
async def test_what_cannot_be_sent_is_an_error(value: str) -> None:
    async with server(answering()) as url, HttpClient(SHORT_TIMEOUT) as client:
        with pytest.raises(HttpError):
            await client.exchange(client.request("GET", url, headers={"X-A": value}))
