"""Where the server listens, and how it starts and stops."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.doubles import RecordingLog
from watcher.errors import ConfigurationError
from watcher.server.connections import Bounds
from watcher.server.listening import Listen
from watcher.server.serving import serving

ANYWHERE = Listen("127.0.0.1", 0)


def an_app() -> Starlette:
    async def hello(_request: Request) -> Response:
        return PlainTextResponse("hello")

    async def endless(_request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.Event().wait()

        return StreamingResponse(pieces())

    async def slow(_request: Request) -> Response:
        await asyncio.sleep(0.2)
        return PlainTextResponse("done")

    return Starlette(routes=[Route("/", hello), Route("/endless", endless), Route("/slow", slow)])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
async def test_it_answers_where_it_says(host: str) -> None:
    async with serving(an_app(), Listen(host, 0), RecordingLog()) as bound:
        assert bound.port > 0
        async with httpx.AsyncClient(verify=False, trust_env=False) as client:
            assert (await client.get(f"http://{bound}/")).text == "hello"


async def test_it_says_where_it_serves() -> None:
    log = RecordingLog()
    async with serving(an_app(), ANYWHERE, log) as bound:
        assert log.lines == [("info", "serving HTTP", {"listen": str(bound)})]


async def test_a_port_in_use_is_told_in_plain_words() -> None:
    async with serving(an_app(), ANYWHERE, RecordingLog()) as bound:
        with pytest.raises(ConfigurationError, match=f"cannot listen at {bound}: address already in use; another"):
            await serving(an_app(), bound, RecordingLog()).__aenter__()


@pytest.mark.parametrize(
    ("listen", "words"),
    [
        (Listen("no-such-host.invalid", 1), "there is no address of no-such-host.invalid"),
        (Listen("a" * 300, 1), "there is no address of aaa"),
        (Listen("192.0.2.1", 1), "cannot listen at 192.0.2.1:1: cannot assign requested address"),
        (Listen(path=Path("/nowhere/at/all.sock")), "cannot listen at unix:/nowhere/at/all.sock: no such file"),
        (Listen(path=Path("/tmp/" + "x" * 200)), "too long"),
    ],
)
async def test_an_address_that_cannot_be_had_is_told_in_plain_words(listen: Listen, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await serving(an_app(), listen, RecordingLog()).__aenter__()


async def test_a_socket_file_is_for_its_owner_and_group_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    async with serving(an_app(), Listen(path=path), RecordingLog()) as bound:
        assert bound == Listen(path=path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        async with httpx.AsyncClient(transport=transport) as client:
            assert (await client.get("http://watcher/")).text == "hello"
    assert not path.exists()


async def test_a_socket_file_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with (
        serving(an_app(), Listen(path=path), RecordingLog()),
        httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(path))) as client,
    ):
        assert (await client.get("http://watcher/")).text == "hello"


async def test_a_socket_file_at_which_somebody_listens_is_left_alone(tmp_path: Path) -> None:
    listen = Listen(path=tmp_path / "http.sock")
    async with serving(an_app(), listen, RecordingLog()):
        with pytest.raises(ConfigurationError, match="address already in use; another program"):
            await serving(an_app(), listen, RecordingLog()).__aenter__()
        transport = httpx.AsyncHTTPTransport(uds=str(listen.path))
        async with httpx.AsyncClient(transport=transport) as client:
            assert (await client.get("http://watcher/")).text == "hello"


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(ConfigurationError, match="it is no socket, so it is left alone"):
        await serving(an_app(), Listen(path=path), RecordingLog()).__aenter__()
    assert path.read_text() == "data"


async def test_the_socket_file_of_a_successor_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    async with serving(an_app(), Listen(path=path), RecordingLog()):
        path.unlink()
        path.write_text("of somebody else")
    assert path.read_text() == "of somebody else"


async def test_an_answer_under_way_is_finished() -> None:
    async with httpx.AsyncClient(verify=False, trust_env=False) as client:
        async with serving(an_app(), ANYWHERE, RecordingLog()) as bound:
            request = asyncio.create_task(client.get(f"http://{bound}/slow"))
            await asyncio.sleep(0.1)
        assert (await request).text == "done"
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://{bound}/")


async def test_an_answer_without_an_end_is_given_up() -> None:
    async with httpx.AsyncClient(verify=False, trust_env=False) as client:
        async with serving(an_app(), ANYWHERE, RecordingLog(), Bounds(stop_seconds=1)) as bound:
            response = await client.send(client.build_request("GET", f"http://{bound}/endless"), stream=True)
            begun = monotonic()
        assert monotonic() - begun < 2.5
        with pytest.raises(httpx.RemoteProtocolError):
            await response.aread()


async def test_signals_stay_with_the_service() -> None:
    got: list[int] = []
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, got.append, signal.SIGTERM)
    try:
        async with (
            serving(an_app(), ANYWHERE, RecordingLog()) as bound,
            httpx.AsyncClient(verify=False, trust_env=False) as client,
        ):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.2)
            assert (await client.get(f"http://{bound}/")).text == "hello"
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
    assert got == [signal.SIGTERM]


async def test_the_server_stops_when_the_service_fails() -> None:
    with pytest.raises(RuntimeError, match="the service"):
        async with serving(an_app(), ANYWHERE, RecordingLog()) as bound:
            raise RuntimeError("the service")
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind((bound.host, bound.port))


async def test_answers_on_one_connection_leave_at_once() -> None:
    """And do not wait for the acknowledgement of their first half, which takes 40 ms."""
    async with (
        serving(an_app(), ANYWHERE, RecordingLog()) as bound,
        httpx.AsyncClient(verify=False, trust_env=False) as client,
    ):
        took = []
        for _ in range(6):
            begun = monotonic()
            await client.get(f"http://{bound}/")
            took.append(monotonic() - begun)
    assert min(took[1:]) < 0.03
