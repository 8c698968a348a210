"""What the pipeline may expect of any notifier, built-in or not."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus

import pytest
from pydantic import ValidationError

from tests.contract.notifiers.conftest import OVER_HTTP, TRIALS, Trial
from tests.doubles import START, a_transition
from tests.loopback import LoopbackReceiver, Reply
from watcher.domain.deliveries import Delivered, Failed, Outcome, Rejected
from watcher.domain.jobs import JobError, JobFacts
from watcher.domain.messages import message_of, message_of_test
from watcher.engine.ports import Notifier
from watcher.errors import ConfigurationError
from watcher.http import Bounds, HttpClient
from watcher.plugins import registry
from watcher.plugins.notifier import Context

Make = Callable[..., Notifier]
Arrived = Callable[[], list[str]]

MESSAGE = message_of(a_transition())
every_kind = pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.kind)
over_http = pytest.mark.parametrize("trial", OVER_HTTP, ids=lambda trial: trial.kind)

UNASSIGNED = {299, 399, 420, 430, 450, 498, 499, 509, 520, 521, 522, 523, 524, 525, 526, 529, 530, 598, 599, 600, 999}
STATUSES = sorted({int(status) for status in HTTPStatus if status >= 200} | UNASSIGNED)
WISHES: list[tuple[dict[str, str], timedelta | None]] = [
    ({"retry-after": "30"}, timedelta(seconds=30)),
    ({"retry-after": "0.5"}, timedelta(seconds=0.5)),
    ({"retry-after-ms": "250", "retry-after": "30"}, timedelta(seconds=0.25)),
    ({"retry-after": "Tue, 24 Nov 2026 12:02:00 GMT"}, timedelta(minutes=2)),
    ({"retry-after": "Tue, 24 Nov 2026 11:00:00 GMT"}, None),
    ({"retry-after": "9" * 400}, None),
    ({"retry-after": "9" * 300}, timedelta(days=365)),
    ({"retry-after": "-5"}, None),
    ({"retry-after": "nan"}, None),
    ({"retry-after": "soon"}, None),
    ({}, None),
]
"""The headers of an answer, and for how long they ask to be left alone."""


def expected_of(status: int) -> type[Outcome]:
    """Return what a status means: only 410 is for good, any other may come from what stands before the receiver."""
    if 200 <= status < 300:
        return Delivered
    return Rejected if status == HTTPStatus.GONE else Failed


@pytest.mark.usefixtures("make")
def test_every_installed_kind_keeps_this_contract() -> None:
    assert registry.notifiers.kinds() == sorted({trial.kind for trial in TRIALS})


@every_kind
async def test_a_message_arrives_once_with_its_id(trial: Trial, make: Make, arrived: Arrived) -> None:
    outcome = await make(trial).send(MESSAGE)
    assert isinstance(outcome, Delivered)
    [text] = arrived()
    assert MESSAGE.id in text
    assert "support-bot v3" in text


@every_kind
async def test_another_attempt_carries_the_same_id(trial: Trial, make: Make, arrived: Arrived) -> None:
    notifier = make(trial)
    await notifier.send(MESSAGE)
    await notifier.send(MESSAGE)
    assert [MESSAGE.id in text for text in arrived()] == [True, True]


@every_kind
async def test_as_many_messages_as_it_allows_go_out_side_by_side(trial: Trial, make: Make, arrived: Arrived) -> None:
    notifier = make(trial)
    messages = [message_of(a_transition(seq=seq)) for seq in range(notifier.concurrency)]
    outcomes = await asyncio.gather(*(notifier.send(message) for message in messages))
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    told = "\n".join(arrived())
    assert all(message.id in told for message in messages)


@every_kind
async def test_a_test_message_arrives(trial: Trial, make: Make, arrived: Arrived) -> None:
    assert isinstance(await make(trial).send(message_of_test("chat", START)), Delivered)
    [text] = arrived()
    assert "Test message" in text or "watcher.test" in text


@every_kind
async def test_hostile_texts_arrive_as_harmless_text(trial: Trial, make: Make, arrived: Arrived) -> None:
    hostile = "\x1b[2J\r\n\u202e<!channel> \ud800" + "x" * 30_000
    facts = JobFacts(model=hostile, error=JobError(hostile, hostile, hostile))
    message = message_of(a_transition(name=hostile[:100], status="failed", facts=facts, document="{}"))
    assert isinstance(await make(trial).send(message), Delivered)
    [text] = arrived()
    assert not set("\x1b\r\n\u202e\ud800").intersection(text)


@over_http
async def test_the_status_of_the_answer_decides(
    trial: Trial, make: Make, receiver: LoopbackReceiver, subtests: pytest.Subtests
) -> None:
    notifier = make(trial)
    for status in STATUSES:
        with subtests.test(status=status):
            receiver.answer(Reply(status))
            outcome = await notifier.send(MESSAGE)
            assert isinstance(outcome, expected_of(status))
            assert str(status) in _told(outcome)
            assert len(receiver.requests) == 1


@over_http
async def test_a_wish_to_be_left_alone_is_passed_on(
    trial: Trial, make: Make, receiver: LoopbackReceiver, subtests: pytest.Subtests
) -> None:
    notifier = make(trial)
    for headers, wait in WISHES:
        for status in (429, 503):
            with subtests.test(headers=headers, status=status):
                receiver.answer(Reply(status, headers=headers))
                outcome = await notifier.send(MESSAGE)
                assert isinstance(outcome, Failed)
                assert outcome.retry_after == wait


@over_http
async def test_a_redirect_is_not_followed(
    trial: Trial, make: Make, receiver: LoopbackReceiver, subtests: pytest.Subtests
) -> None:
    notifier = make(trial)
    for status in (301, 302, 303, 307, 308):
        with subtests.test(status=status):
            receiver.answer(Reply(status, headers={"location": f"{receiver.url}/elsewhere"}), Reply())
            outcome = await notifier.send(MESSAGE)
            assert isinstance(outcome, Failed)
            assert "redirects are not followed" in outcome.error
            assert len(receiver.requests) == 1


@over_http
@pytest.mark.parametrize("instead", ["reset", "not-http"])
async def test_a_broken_conversation_is_a_failure(
    instead: str, trial: Trial, make: Make, receiver: LoopbackReceiver
) -> None:
    receiver.replies = [Reply(instead=instead)]  # type: ignore[arg-type]
    outcome = await make(trial).send(MESSAGE)
    assert isinstance(outcome, Failed)
    assert len(receiver.requests) == 1


@over_http
async def test_a_receiver_that_is_not_there_is_a_failure(trial: Trial, make: Make, receiver: LoopbackReceiver) -> None:
    notifier = make(trial)
    await receiver.__aexit__()
    assert isinstance(await notifier.send(MESSAGE), Failed)


@over_http
async def test_a_receiver_that_hangs_is_a_failure(
    trial: Trial, make: Make, receiver: LoopbackReceiver, context: Context
) -> None:
    receiver.replies = [Reply(instead="hang")]
    async with HttpClient(Bounds(timedelta(seconds=0.05), concurrency=1, size_limit=1000)) as http:
        outcome = await make(trial, replace(context, http=http)).send(MESSAGE)
    assert outcome == Failed("no answer within 0.05 s")


@over_http
async def test_an_answer_is_told_short_and_safe(
    trial: Trial, make: Make, receiver: LoopbackReceiver, subtests: pytest.Subtests
) -> None:
    notifier = make(trial)
    for status in (200, 302, 400, 500):
        with subtests.test(status=status):
            receiver.answer(Reply(status, b"\x1b[31m\xff\r\nforged " + b"x" * 1000))
            told = _told(await notifier.send(MESSAGE))
            assert "forged" in told
            assert len(told) < 300
            assert not set("\x1b\r\n").intersection(told)


@over_http
async def test_an_answer_too_long_to_be_read_is_judged_by_its_status(
    trial: Trial, make: Make, receiver: LoopbackReceiver, subtests: pytest.Subtests
) -> None:
    notifier = make(trial)
    for status in (201, 404, 429, 500):
        with subtests.test(status=status):
            receiver.answer(Reply(status, b"x" * 2_000_000, {"retry-after": "7"}))
            outcome = await notifier.send(MESSAGE)
            assert isinstance(outcome, expected_of(status))
            assert not isinstance(outcome, Failed) or outcome.retry_after == timedelta(seconds=7)


@over_http
async def test_a_receiver_that_echoes_secrets_does_not_get_them_told(
    trial: Trial, make: Make, receiver: LoopbackReceiver, subtests: pytest.Subtests
) -> None:
    notifier = make(trial)
    for status in (200, 302, 400, 429, 500):
        with subtests.test(status=status):
            receiver.answer(Reply(status, instead="echo"))
            told = _told(await notifier.send(MESSAGE))
            assert "***" in told
            assert not _leaks(trial, told)


@over_http
async def test_no_half_a_secret_stays_where_an_answer_is_cut(
    trial: Trial, make: Make, receiver: LoopbackReceiver, subtests: pytest.Subtests
) -> None:
    notifier = make(trial)
    for length in range(150, 260, 7):
        with subtests.test(length=length):
            receiver.answer(Reply(400, b"x" * length + trial.secrets[0].encode() + b"x" * 100))
            assert trial.secrets[0][:4] not in _told(await notifier.send(MESSAGE))


@every_kind
@pytest.mark.parametrize("reply", [Reply(), Reply(500, instead="echo"), Reply(instead="reset")])
async def test_nothing_logged_or_shown_holds_a_secret(
    reply: Reply, trial: Trial, make: Make, receiver: LoopbackReceiver, written: Callable[[], str]
) -> None:
    receiver.replies = [Reply(reply.status, instead=reply.instead, headers={"x-echo": "".join(trial.secrets)})]
    notifier = make(trial)
    outcome = await notifier.send(MESSAGE)
    config = registry.notifiers.plugin(trial.kind).config.model_validate(trial.settings(receiver.url))
    shown = [repr(outcome), repr(notifier), repr(config), str(config), config.model_dump_json(), written()]
    assert not _leaks(trial, "\n".join(shown))


@every_kind
def test_settings_that_are_wrong_are_refused_without_being_repeated(trial: Trial, make: Make) -> None:
    make(trial)
    config = registry.notifiers.plugin(trial.kind).config
    settings = trial.settings("nonsense://127.0.0.1") | {"surplus": "".join(trial.secrets)}
    with pytest.raises(ValidationError) as caught:
        config.model_validate(settings)
    assert not _leaks(trial, "".join(traceback.format_exception(caught.value)))


@over_http
async def test_an_address_that_cannot_be_used_is_a_mistake_in_the_settings(
    trial: Trial, make: Make, receiver: LoopbackReceiver
) -> None:
    receiver.url = "http://127.0.0.999"
    with pytest.raises(ConfigurationError) as caught:
        make(trial)
    told = "".join(traceback.format_exception(caught.value))
    assert "notifier chat" in told
    assert not _leaks(trial, told)


def _told(outcome: Outcome) -> str:
    return outcome.answer if isinstance(outcome, Delivered) else outcome.error


def _leaks(trial: Trial, text: str) -> list[str]:
    return [secret for secret in trial.secrets if secret in text]
