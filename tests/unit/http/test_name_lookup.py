"""A name server that does not answer delays only requests for that name, and none past its timeout."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from tests.unit.http.servers import LONG_TIMEOUT, OK, SHORT_TIMEOUT, answering, server
from watcher.http import HttpClient, HttpError
from watcher.http.name_lookup import Lookup

pytestmark = pytest.mark.usefixtures("transport")

Answers = Callable[[str], list[str]]


class Names:
    """A name service of our own in place of the system's: it knows names, and is silent about others."""

    def __init__(self) -> None:
        self.known: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.speaks = threading.Event()

    def getaddrinfo(self, host: str, *_args: object, **_options: object) -> list[object]:
        self.asked.append(host)
        if host not in self.known:
            self.speaks.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in self.known[host]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    service = Names()
    monkeypatch.setattr(socket, "getaddrinfo", service.getaddrinfo)
    yield service
    service.speaks.set()


async def ask(client: HttpClient, url: str) -> bytes:
    return (await client.exchange(client.request("GET", url))).body


LIMIT = timedelta(seconds=2)


@contextmanager
def deaf(host: str, port: int) -> Iterator[None]:
    """Have an address that answers no attempt to connect: its queue is full."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind((host, port))
        listening.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((host, port))
        yield


def named(url: str, host: str = "api.internal") -> str:
    return url.replace("127.0.0.1", host)


async def test_a_name_that_nobody_answers_for_takes_one_thread_and_no_longer_than_the_timeout(names: Names) -> None:
    threads = threading.active_count()
    async with HttpClient(replace(SHORT_TIMEOUT, concurrency=50)) as client:
        begin = time.monotonic()
        asked = [ask(client, "http://silent.internal/hooks/very-secret") for _ in range(50)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)

    assert {str(outcome) for outcome in outcomes} == {"no answer within 1 s"}
    assert time.monotonic() - begin < 5
    assert names.asked == ["silent.internal"]
    assert threading.active_count() <= threads + 2  # and one that the Rust transport keeps


async def test_others_are_not_held_up_by_it(names: Names) -> None:
    names.known["good.internal"] = ["127.0.0.1"]
    async with (
        server(answering(OK)) as url,
        HttpClient(replace(LONG_TIMEOUT, concurrency=50)) as suffering,
        HttpClient(SHORT_TIMEOUT) as client,
    ):
        waiting = [asyncio.create_task(ask(suffering, f"http://silent-{number}.internal/")) for number in range(50)]
        await asyncio.sleep(0)
        assert await ask(client, named(url, "good.internal")) == b"ok"
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)


async def test_a_look_up_that_fails_is_said_to_and_tried_again(names: Names) -> None:
    names.speaks.set()
    async with server(answering(OK)) as url, HttpClient(LONG_TIMEOUT) as client:
        with pytest.raises(HttpError, match=r"^cannot connect: Temporary failure in name resolution$"):
            await ask(client, named(url))
        names.known["api.internal"] = ["127.0.0.1"]
        assert await ask(client, named(url)) == b"ok"


async def test_an_address_that_refuses_is_passed_over_and_remembered(names: Names) -> None:
    names.known["api.internal"] = ["127.0.0.2", "127.0.0.1"]  # the server listens at the second one only
    async with server(answering(OK)) as url, HttpClient(LONG_TIMEOUT) as client:
        assert [await ask(client, named(url)) for _ in range(3)] == [b"ok"] * 3

    assert names.asked == ["api.internal"]


async def test_the_timeout_is_for_all_addresses_together(names: Names) -> None:
    """The first one takes no connection, which takes half of the time; the second one takes one, and says nothing."""
    names.known["api.internal"] = ["127.0.0.2", "127.0.0.1"]
    async with server(answering(b"", pause=30)) as url, HttpClient(replace(LONG_TIMEOUT, timeout=LIMIT)) as client:
        with deaf("127.0.0.2", urlsplit(url).port or 0):
            begin = time.monotonic()
            with pytest.raises(HttpError, match="no answer within 2 s"):
                await ask(client, named(url))

    assert time.monotonic() - begin < 2.8


async def test_a_server_that_has_moved_is_looked_up_again(names: Names) -> None:
    names.known["api.internal"] = ["127.0.0.2"]
    async with server(answering(OK)) as url, HttpClient(LONG_TIMEOUT) as client:
        with pytest.raises(HttpError, match=r"^cannot connect: Connection refused$"):
            await ask(client, named(url))
        names.known["api.internal"] = ["127.0.0.1"]
        assert await ask(client, named(url)) == b"ok"


async def test_what_is_known_serves_while_the_name_server_is_silent(names: Names) -> None:
    lookup, deadline = Lookup(fresh_seconds=0), asyncio.get_running_loop().time() + 5
    names.known["api.internal"] = ["127.0.0.1"]
    assert await lookup.addresses("api.internal", deadline) == ["127.0.0.1"]
    del names.known["api.internal"]
    assert [await lookup.addresses("api.internal", deadline) for _ in range(3)] == [["127.0.0.1"]] * 3

    assert names.asked == ["api.internal"] * 2


def test_the_end_of_the_process_waits_for_no_look_up(transport: str) -> None:
    program = """
        import asyncio, socket, time
        from datetime import timedelta
        from watcher.http import Bounds, HttpClient, HttpError

        socket.getaddrinfo = lambda *_args, **_options: time.sleep(60)

        async def main():
            async with HttpClient(Bounds(timedelta(seconds=0.2), 1, 1000)) as client:
                try:
                    await client.exchange(client.request("GET", "http://silent.internal/"))
                except HttpError as error:
                    print(error)

        asyncio.run(main())
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=20, check=True
    )

    assert (ended.stdout, ended.stderr) == ("no answer within 0.2 s\n", "")
