"""Where a server offers HTTP/2, the Rust transport speaks it: all exchanges on one connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

from tests.unit.http.servers import LONG_TIMEOUT, Authority, connections
from watcher.http import Answer, AnswerTooLargeError, HttpClient


@pytest.fixture(autouse=True)
def _rust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHER_HTTP_TRANSPORT", "pyreqwest")


class Server:
    """Answers each request with `body`, once as many have come as `together` says."""

    def __init__(self, body: bytes, together: int = 1) -> None:
        self.opened = 0
        self.seen: list[dict[bytes, bytes]] = []
        self._body = body
        self.together = together
        self._waiting: list[int] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for request in self._requests(connection, data):
                self.seen.append(dict(request.headers))
                self._waiting.append(request.stream_id)
            if len(self._waiting) >= self.together:
                self._answer(connection)
            writer.write(connection.data_to_send())

    def _requests(self, connection: H2Connection, data: bytes) -> Iterator[RequestReceived]:
        return (event for event in connection.receive_data(data) if isinstance(event, RequestReceived))

    def _answer(self, connection: H2Connection) -> None:
        for stream in self._waiting:
            connection.send_headers(stream, [(":status", "200"), ("x-a", "b")])
            for begin in range(0, len(self._body), 16_000):
                connection.send_data(stream, self._body[begin : begin + 16_000])
            connection.end_stream(stream)
        self._waiting.clear()


async def ask_concurrently(server: Server, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Answer]:
    authority = Authority(tmp_path)
    authority.server.set_alpn_protocols(["h2"])
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted))
    async with connections(server, authority.server) as url, HttpClient(LONG_TIMEOUT, headers={"X-A": "b"}) as client:
        request = client.request("GET", url)
        first = await client.exchange(request)
        server.together = count
        return [first, *await asyncio.gather(*(client.exchange(request) for _ in range(count)))]


async def test_all_exchanges_share_a_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(b"ok")
    answers = await ask_concurrently(server, 4, tmp_path, monkeypatch)

    assert {(answer.status_code, answer.body, answer.headers["x-a"]) for answer in answers} == {(200, b"ok", "b")}
    assert (server.opened, len(server.seen)) == (1, 5)
    assert server.seen[0][b"x-a"] == b"b"
    assert server.seen[0][b"accept-encoding"] == b"gzip"
    assert not {b"host", b"connection"} & server.seen[0].keys()


async def test_a_body_over_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnswerTooLargeError):
        await ask_concurrently(Server(b"x" * (LONG_TIMEOUT.size_limit + 1)), 1, tmp_path, monkeypatch)
