"""The one door to HTTP keeps its bounds, and its errors keep addresses to themselves."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import trustme

from watcher.http import AnswerTooLargeError, Bounds, HttpClient, HttpError, Pacer, retry_after, tls_context

QUICK = Bounds(timedelta(seconds=0.3), at_once=4, size_limit=1000)
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(handle: Handler) -> AsyncIterator[str]:
    """Serve raw bytes on loopback: what an HTTP library would not let us send."""

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await handle(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(closing, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/hooks/very-secret"
        listening.close()


def answering(*pieces: bytes, pause: float = 0.0) -> Handler:
    async def handle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return handle


async def exchange(handle: Handler, bounds: Bounds = QUICK) -> object:
    async with server(handle) as url, HttpClient(bounds) as client:
        return await client.exchange(client.request("GET", url))


async def test_an_answer_is_read_whole() -> None:
    answer = await exchange(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-A: b\r\n\r\n", b"bo", b"dy"))

    assert (answer.status_code, answer.body, answer.headers["x-a"]) == (200, b"body", "b")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"]
)
async def test_a_body_over_the_limit_is_refused_while_it_is_read(head: bytes) -> None:
    sent = 0

    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(head)
        while sent < 50_000_000:
            writer.write(b"x" * 500)
            await writer.drain()
            sent += 500

    with pytest.raises(AnswerTooLargeError, match="larger than 1,000 bytes"):
        await exchange(endless)
    assert sent < 50_000_000


async def test_a_bomb_is_measured_unpacked() -> None:
    import gzip

    bomb = gzip.compress(b"0" * 1_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)

    with pytest.raises(AnswerTooLargeError):
        await exchange(answering(head, bomb))


async def test_a_server_that_hangs_is_given_up() -> None:
    with pytest.raises(HttpError, match=r"no answer within 0\.3 s"):
        await exchange(answering(b"", pause=5))


async def test_a_server_that_drips_is_given_up_as_a_whole() -> None:
    """Each byte comes in time, the answer never does."""
    drip = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", *[b"x"] * 100, pause=0.05)

    with pytest.raises(HttpError, match=r"no answer within 0\.3 s"):
        await exchange(drip)


@pytest.mark.parametrize(
    ("handle", "words"),
    [
        (answering(b"this is not HTTP\r\n\r\n"), "does not speak HTTP"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "broke off"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"), "decompressed"),
        (answering(), "broke off"),
    ],
)
async def test_what_is_no_answer_is_said_in_words(handle: Handler, words: str) -> None:
    with pytest.raises(HttpError, match=words):
        await exchange(handle)


async def test_no_error_repeats_an_address() -> None:
    async with HttpClient(QUICK) as client:
        with pytest.raises(HttpError, match="cannot connect") as raised:
            await client.exchange(client.request("GET", "http://127.0.0.1:9/hooks/very-secret"))

    assert str(raised.value) == "cannot connect: Connection refused"
    assert raised.value.__cause__ is None


async def test_redirects_are_answers_and_cookies_are_not_kept() -> None:
    seen: list[bytes] = []

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            seen.append(await reader.readuntil(b"\r\n\r\n"))

    async with server(redirect) as url, HttpClient(QUICK) as client:
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


async def test_messages_to_one_address_are_spaced_out_and_others_are_not() -> None:
    pacer, loop = Pacer(), asyncio.get_running_loop()
    begin, at = loop.time(), []
    for address in ("a", "b", "a", "a"):
        await pacer.turn(address, timedelta(seconds=0.05))
        at.append(loop.time() - begin)

    assert at[1] < 0.05
    assert at[2] >= 0.049
    assert at[3] >= 0.099


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "3"}, timedelta(seconds=3)),
        ({"retry-after": "0.5"}, timedelta(seconds=0.5)),
        ({"retry-after-ms": "250", "retry-after": "9"}, timedelta(seconds=0.25)),
        ({"retry-after": "Sun, 01 Mar 2026 12:01:00 GMT"}, timedelta(minutes=1)),
        ({"retry-after": "Sun, 01 Mar 2026 11:59:00 GMT"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e300"}, timedelta(days=365)),
        ({"retry-after-ms": "x", "retry-after": "7"}, timedelta(seconds=7)),
    ],
)
def test_a_wish_to_be_left_alone_is_read_in_every_form(headers: dict[str, str], wait: timedelta | None) -> None:
    assert retry_after(httpx.Headers(headers), NOW) == wait


def test_a_client_certificate_that_is_none_is_an_error() -> None:
    with pytest.raises(OSError, match=r"."):
        tls_context("/nonexistent.pem")


@pytest.mark.parametrize("url", ["http://[::1", "http://exa mple/\x00"])
async def test_an_unusable_address_is_a_value_error(url: str) -> None:
    async with HttpClient(QUICK) as client:
        with pytest.raises(ValueError, match="InvalidURL"):
            client.request("GET", url)


async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    async def proxy(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(b"")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhey")

    async with server(proxy) as url:
        monkeypatch.setenv("HTTP_PROXY", url)
        async with HttpClient(QUICK) as client:
            answer = await client.exchange(client.request("GET", "http://api.example.invalid/v1"))

    assert (answer.body, len(asked)) == (b"hey", 1)


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
        self.server.verify_mode = ssl.CERT_REQUIRED


@asynccontextmanager
async def tls_server(context: ssl.SSLContext) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
        writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    async with listening:
        yield f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        listening.close()


async def test_a_client_certificate_is_shown_to_a_server_that_asks_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted))
    shown = tls_context(str(authority.client_cert), str(authority.client_key))
    async with tls_server(authority.server) as url:
        async with HttpClient(QUICK, tls=shown) as client:
            assert (await client.exchange(client.request("GET", url))).body == b"ok"
        async with HttpClient(QUICK) as client:
            with pytest.raises(HttpError):
                await client.exchange(client.request("GET", url))


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with tls_server(authority.server) as url, HttpClient(QUICK) as client:
        with pytest.raises(HttpError, match="TLS certificate not accepted"):
            await client.exchange(client.request("GET", url))
