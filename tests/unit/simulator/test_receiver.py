"""The receiver keeps what it gets, tells whether it is signed, and answers as it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import httpx
import pytest
from standardwebhooks import Webhook

from tests.doubles import START, ManualClock
from watcher.simulator.receiver import ACCEPTED, Receiver
from watcher.simulator.server import Manner, Received, Reply

SECRET = "whsec_" + "c2VjcmV0" * 6
OTHER_SECRET = "whsec_" + "b3RoZXJz" * 6
BODY = b'{"type":"fine_tuning.job.succeeded"}'


@pytest.fixture
async def receiver(clock: ManualClock) -> AsyncIterator[Receiver]:
    async with Receiver(secret=SECRET, clock=clock) as receiver:
        yield receiver


@pytest.fixture
async def sender() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
        yield client


def signed(*secrets: str, at: datetime = START) -> dict[str, str]:
    """Return the headers that sign the body, with one signature for each secret."""
    signatures = " ".join(Webhook(secret).sign("evt_1", at, BODY.decode()) for secret in secrets)
    return {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signatures,
    }


async def test_a_message_is_kept_as_it_arrived(receiver: Receiver, sender: httpx.AsyncClient) -> None:
    answer = await sender.post(receiver.url + "?team=nlp", content=BODY, headers={"X-Team": "nlp"})
    assert (answer.status_code, answer.text) == (200, "ok")
    (received,) = receiver.received
    assert (received.method, received.path, received.query) == ("POST", "/hooks/finetune", "team=nlp")
    assert received.headers["x-team"] == "nlp"
    assert received.body == BODY
    assert received.at == START


@pytest.mark.parametrize(
    ("headers", "verified"),
    [
        pytest.param(signed(SECRET), True, id="right"),
        pytest.param(signed(OTHER_SECRET, SECRET), True, id="one of two, as in a rotation"),
        pytest.param(signed(OTHER_SECRET), False, id="another secret"),
        pytest.param({**signed(SECRET), "webhook-id": "evt_2"}, False, id="another id"),
        pytest.param(signed(SECRET, at=START - timedelta(minutes=5)), True, id="just young enough"),
        pytest.param(signed(SECRET, at=START - timedelta(minutes=5, seconds=1)), False, id="too old"),
        pytest.param(signed(SECRET, at=START + timedelta(minutes=5, seconds=1)), False, id="of the future"),
        pytest.param({**signed(SECRET), "webhook-timestamp": "noon"}, False, id="no time"),
        pytest.param({**signed(SECRET), "webhook-timestamp": "9" * 30}, False, id="no time ever"),
        pytest.param({}, False, id="unsigned"),
    ],
)
async def test_a_signature_is_checked(
    receiver: Receiver, sender: httpx.AsyncClient, headers: dict[str, str], *, verified: bool
) -> None:
    await sender.post(receiver.url, content=BODY, headers=headers)
    assert [received.verified for received in receiver.received] == [verified]


async def test_a_body_that_was_changed_is_not_verified(receiver: Receiver, sender: httpx.AsyncClient) -> None:
    await sender.post(receiver.url, content=BODY + b" ", headers=signed(SECRET))
    await sender.post(receiver.url, content=b"\xff", headers=signed(SECRET))
    assert [received.verified for received in receiver.received] == [False, False]


async def test_without_a_secret_nobody_looks(sender: httpx.AsyncClient) -> None:
    async with Receiver() as receiver:
        await sender.post(receiver.url, content=BODY, headers=signed(SECRET))
        assert receiver.received[0].verified is None


async def test_answers_are_given_in_turn_and_the_last_one_for_ever(
    receiver: Receiver, sender: httpx.AsyncClient
) -> None:
    receiver.answers = [Reply(503), Reply(429, {"retry-after": "3"}, b"later"), ACCEPTED]
    answers = [await sender.post(receiver.url) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [503, 429, 200, 200]
    assert (answers[1].headers["retry-after"], answers[1].text) == ("3", "later")


async def test_a_function_may_answer(receiver: Receiver, sender: httpx.AsyncClient) -> None:
    def echo(received: Received) -> Reply:
        return Reply(body=received.body.upper())

    receiver.answers = echo
    assert (await sender.post(receiver.url, content=b"abc")).text == "ABC"


async def test_a_receiver_may_hang_or_reset(sender: httpx.AsyncClient) -> None:
    answers = [Reply(manner=Manner.HANG), Reply(manner=Manner.RESET), ACCEPTED]
    async with Receiver(answers=answers) as receiver:
        with pytest.raises(httpx.ReadTimeout):
            await sender.post(receiver.url, content=BODY, timeout=0.1)
        with pytest.raises(httpx.ReadError):
            await sender.post(receiver.url, content=BODY)
        assert (await sender.post(receiver.url, content=BODY)).text == "ok"
        assert [received.body for received in receiver.received] == [BODY] * 3


async def test_waiting_ends_when_enough_has_arrived(receiver: Receiver, sender: httpx.AsyncClient) -> None:
    waiting = asyncio.create_task(receiver.wait_for(2))
    await sender.post(receiver.url, content=b"1")
    assert not waiting.done()
    await sender.post(receiver.url, content=b"2")
    assert [received.body for received in await waiting] == [b"1", b"2"]
    assert len(await receiver.wait_for(1)) == 2


async def test_waiting_in_vain_says_how_many_arrived(receiver: Receiver, sender: httpx.AsyncClient) -> None:
    await sender.post(receiver.url)
    with pytest.raises(TimeoutError, match="1 of 2 requests arrived"):
        await receiver.wait_for(2, timedelta(milliseconds=20))
