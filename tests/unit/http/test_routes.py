"""The ways to a server: through proxies where the environment says so, and under TLS that is verified."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.unit.http.servers import OK, PATIENT, Authority, answering, connections, server
from watcher.http import HttpClient, HttpError, tls_context

pytestmark = pytest.mark.usefixtures("transport")


async def ask(url: str, client: HttpClient | None = None) -> bytes:
    async with client or HttpClient(PATIENT) as asking:
        return (await asking.exchange(asking.request("GET", url))).body


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_a_proxy_of_the_environment_is_used(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(answering(OK)) as url:
        monkeypatch.setenv(variable, url)
        assert await ask("http://api.example.invalid/v1") == b"ok"


@pytest.mark.parametrize("rule", ["127.0.0.1", "*"])
async def test_a_server_that_needs_no_proxy_is_asked_straight(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", rule)
    async with server(answering(OK)) as url:
        assert await ask(url) == b"ok"


async def test_a_proxy_tunnels_to_a_server_under_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, tunnels = Authority(tmp_path), []
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted))

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wish = (await reader.readuntil(b"\r\n\r\n")).split()
        tunnels.append(wish[0])
        host, port = wish[1].decode().split(":")
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_carry(reader, back), _carry(there, writer))

    async with connections(tunnel) as proxy, connections(_answering_one, authority.server) as url:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        assert await ask(url) == b"ok"

    assert tunnels == [b"CONNECT"]


async def test_a_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(answering(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with pytest.raises(HttpError, match="the proxy refused"):
            await ask("https://api.example.invalid/v1")


async def test_a_client_certificate_is_shown_to_a_server_that_asks_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ssl

    authority = Authority(tmp_path)
    authority.server.verify_mode = ssl.CERT_REQUIRED
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted))
    shown = tls_context(str(authority.client_cert), str(authority.client_key))
    async with connections(_answering_one, authority.server) as url:
        assert await ask(url, HttpClient(PATIENT, tls=shown)) == b"ok"
        with pytest.raises(HttpError):
            await ask(url)


async def test_a_connection_under_tls_is_kept_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, opened = Authority(tmp_path), 0
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted))

    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        for _ in range(2):
            await _answering_one(reader, writer)

    async with connections(twice, authority.server) as url, HttpClient(PATIENT) as client:
        request = client.request("GET", url)
        assert [(await client.exchange(request)).body for _ in range(2)] == [b"ok"] * 2

    assert opened == 1


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    async with connections(_answering_one, Authority(tmp_path).server) as url:
        with pytest.raises(HttpError, match="TLS certificate not accepted"):
            await ask(url)


async def test_a_certificate_of_another_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted))
    async with connections(_answering_one, authority.server) as url:
        with pytest.raises(HttpError, match="TLS certificate not accepted"):
            await ask(url.replace("127.0.0.1", "localhost"))


def test_a_client_certificate_that_is_none_is_an_error() -> None:
    with pytest.raises(OSError, match=r"."):
        tls_context("/nonexistent.pem")


async def _answering_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK)
    await writer.drain()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
    writer.close()
