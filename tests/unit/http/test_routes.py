"""The ways to a server: through proxies where the environment says so, and under TLS that is verified."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.unit.http.servers import LONG_TIMEOUT, OK, Authority, Plain, SelfSigned, answering, connections, server
from watcher.http import HttpClient, HttpError, tls_context

pytestmark = pytest.mark.usefixtures("transport")


async def ask(url: str, client: HttpClient | None = None) -> bytes:
    async with client or HttpClient(LONG_TIMEOUT) as request:
        return (await request.exchange(request.request("GET", url))).body


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
    authority = Authority(tmp_path)
    authority.server.verify_mode = ssl.CERT_REQUIRED
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted))
    shown = tls_context(str(authority.client_cert), str(authority.client_key))
    async with connections(_answering_one, authority.server) as url:
        assert await ask(url, HttpClient(LONG_TIMEOUT, tls=shown)) == b"ok"
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

    async with connections(twice, authority.server) as url, HttpClient(LONG_TIMEOUT) as client:
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


async def test_ipv6_is_spoken() -> None:
    async with connections(_answering_one, host="::1") as url:
        assert await ask(url) == b"ok"


async def test_a_server_is_known_by_its_name_though_its_address_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, seen = Authority(tmp_path, "localhost"), []
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted))

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        await writer.drain()

    async with connections(note, authority.server) as url:
        named = url.replace("127.0.0.1", "localhost")
        assert await ask(named) == b"ok"

    assert f"host: {named.split('/')[2]}\r\n".encode() in seen[0].lower()


async def test_a_directory_of_certificates_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    name = _openssl("x509", "-hash", "-noout", "-in", authority.trusted).decode().strip()
    (tmp_path / "trusted").mkdir()
    authority.trusted.rename(tmp_path / "trusted" / f"{name}.0")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "trusted"))
    async with connections(_answering_one, authority.server) as url:
        assert await ask(url) == b"ok"


async def test_a_certificate_without_the_extensions_that_newer_pythons_ask_for_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Plain(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted))
    context = tls_context()
    async with connections(_answering_one, authority.server) as url:
        assert await ask(url, HttpClient(LONG_TIMEOUT, tls=context)) == b"ok"

    assert not context.verify_flags & ssl.VERIFY_X509_STRICT


async def test_a_certificate_that_has_nothing_but_a_common_name_is_held_to_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Plain(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted))
    async with connections(_answering_one, authority.server) as url:
        assert await ask(url.replace("127.0.0.1", "localhost")) == b"ok"
        with pytest.raises(HttpError, match="TLS certificate not accepted: IP address mismatch"):
            await ask(url)


async def test_a_certificate_that_is_its_own_authority_is_accepted_where_it_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = SelfSigned(tmp_path)
    async with connections(_answering_one, gateway.server) as url:
        with pytest.raises(HttpError, match=r"TLS certificate not accepted: self.signed"):
            await ask(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(gateway.trusted))
        async with HttpClient(LONG_TIMEOUT) as client:
            requests = [client.exchange(client.request("GET", url)) for _ in range(4)]
            assert [answer.body for answer in await asyncio.gather(*requests)] == [b"ok"] * 4
            assert (await client.exchange(client.request("GET", url))).body == b"ok"


def test_a_key_that_needs_a_password_is_an_error_and_nobody_is_asked(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    locked = _openssl("pkey", "-in", authority.client_key, "-aes256", "-passout", "pass:secret")
    authority.client_key.write_bytes(locked)

    with pytest.raises(OSError, match="encrypted"):
        tls_context(str(authority.client_cert), str(authority.client_key))


async def test_a_certificate_that_the_server_does_not_like_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    authority.server.verify_mode = ssl.CERT_REQUIRED
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.trusted))
    async with connections(_answering_one, authority.server) as url:
        with pytest.raises(HttpError, match=r"TLS|[Cc]ertificate|broke"):
            await ask(url)


async def test_a_proxy_is_told_the_password_that_its_address_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        await writer.drain()

    async with connections(note) as url:
        monkeypatch.setenv("HTTP_PROXY", url.replace("://", "://user:p%40ss@"))
        assert await ask("http://api.example.invalid/v1") == b"ok"

    assert seen[0].startswith(b"GET http://api.example.invalid/v1 HTTP/1.1\r\n")
    assert b"proxy-authorization: basic dxnlcjpwqhnz\r\n" in seen[0].lower()


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("user", ["", "user:p%40ss@"])
async def test_a_socks_proxy_looks_names_up_itself(scheme: str, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wishes = []

    async def socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        writer.write(b"\x05\x02" if 2 in methods else b"\x05\x00")
        if 2 in methods:
            _, length = await reader.readexactly(2)
            name = await reader.readexactly(length)
            password = await reader.readexactly((await reader.readexactly(1))[0])
            wishes.append(name + b":" + password)
            writer.write(b"\x01\x00")
        _, _, _, kind = await reader.readexactly(4)
        assert kind == 3  # a name
        wishes.append(await reader.readexactly((await reader.readexactly(1))[0]))
        await reader.readexactly(2)
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        await _answering_one(reader, writer)

    async with connections(socks) as url:
        monkeypatch.setenv("ALL_PROXY", url.replace("http://", f"{scheme}://{user}"))
        assert await ask("http://api.example.invalid/v1") == b"ok"

    assert wishes == [*([b"user:p@ss"] if user else []), b"api.example.invalid"]


async def test_a_proxy_that_is_down_is_named_without_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "socks5"):
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://user:hunter2@127.0.0.1:9")
        with pytest.raises(HttpError) as raised:
            await ask("https://api.example.invalid/v1")
        assert re.fullmatch("cannot connect( to the proxy)?(: Connection refused)?", str(raised.value))


async def test_nothing_that_is_logged_repeats_an_address(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    async with connections(_answering_one) as url, HttpClient(LONG_TIMEOUT) as client:
        for secret in (url, url.replace("://", "://user:very-secret@")):
            await client.exchange(client.request("GET", secret))
        with pytest.raises(HttpError):
            await client.exchange(client.request("GET", "http://127.0.0.1:9/very-secret"))
    monkeypatch.setenv("HTTP_PROXY", "http://user:very-secret@127.0.0.1:9")
    async with HttpClient(LONG_TIMEOUT) as client:
        with pytest.raises(HttpError):
            await client.exchange(client.request("GET", "http://127.0.0.1:9/very-secret"))

    assert "secret" not in caplog.text


async def _answering_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK)
    await writer.drain()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
    writer.close()


def _openssl(*arguments: str | Path) -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=True).stdout
