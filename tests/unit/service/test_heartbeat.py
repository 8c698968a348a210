"""The dead man's switch, at a real receiver."""

from __future__ import annotations

import pytest

from watcher.errors import ConfigurationError
from watcher.service.heartbeat import Heartbeat
from watcher.simulator.receiver import Receiver
from watcher.simulator.server import Reply


async def test_it_beats_while_all_is_well_and_fails_aloud_while_it_is_not() -> None:
    async with Receiver() as receiver, Heartbeat(receiver.url) as heartbeat:
        assert await heartbeat.beat(is_well=True) is None
        assert await heartbeat.beat(is_well=False) is None

        paths = [(received.method, received.path) for received in receiver.received]
    assert paths == [("GET", "/hooks/finetune"), ("GET", "/hooks/finetune/fail")]


@pytest.mark.parametrize(
    ("query", "well", "unwell"),
    [
        ("?status=up&msg=OK&ping=", "?status=up&msg=OK&ping=", "?status=down&msg=not+well&ping="),
        ("?rid=1", "?rid=1", "/fail?rid=1"),
    ],
    ids=["Uptime Kuma", "another query"],
)
async def test_an_address_with_a_query_tells_the_two_apart(query: str, well: str, unwell: str) -> None:
    async with Receiver() as receiver, Heartbeat(receiver.url + query) as heartbeat:
        assert await heartbeat.beat(is_well=True) is None
        assert await heartbeat.beat(is_well=False) is None
        paths = [f"{received.path.removeprefix('/hooks/finetune')}?{received.query}" for received in receiver.received]
    assert paths == [well, unwell]


async def test_what_does_not_arrive_is_said() -> None:
    async with Receiver(answers=[Reply(500)]) as receiver, Heartbeat(receiver.url) as heartbeat:
        assert await heartbeat.beat(is_well=True) == "HTTP 500"
    async with Heartbeat("http://127.0.0.1:9/secret") as heartbeat:
        error = await heartbeat.beat(is_well=True)
    assert error is not None
    assert "cannot connect" in error
    assert "secret" not in error


def test_an_unusable_address_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError):
        Heartbeat("http://[::1")
