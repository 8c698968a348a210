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
