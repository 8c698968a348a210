"""The e-mail notifier, against a real mail server: letters, threads, TLS, logins, refusals, and its bounds."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.doubles import START, a_transition, job_in
from tests.mailbox import Mailbox, Scripted, certificates
from tests.unit.notifiers.conftest import hostile_facts
from watcher.curves.picture import curve_png
from watcher.domain.conditions import ConditionChange, missing_condition
from watcher.domain.deliveries import Delivered, Failed, Outcome, Rejected
from watcher.domain.jobs import JobError, JobFacts
from watcher.domain.messages import Detail, Message, message_of, message_of_test
from watcher.domain.samples import points
from watcher.notifiers.blocking import STILL_HANGING
from watcher.notifiers.mail.letter import letter_of
from watcher.notifiers.mail.plugin import Config, Mail
from watcher.plugins.notifier import Context

MESSAGE = message_of(a_transition())
PASSWORD = "pA55-of-the-mailbox"
ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    context, trusted = certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    return context


def mail(port: int, context: Context, patience: Any = 10.0, drawing: Any = 3.0, **more: Any) -> Mail:
    given = {"host": "127.0.0.1", "port": port, "sender": "watcher@example.com", "to": [ANN], "security": "none"}
    return Mail(Config.model_validate(given | more), context, timedelta(seconds=patience), timedelta(seconds=drawing))


def content_of(letter: EmailMessage, kind: str) -> str:
    body = letter.get_body((kind,))
    assert body
    content = body.get_content()
    assert isinstance(content, str)
    return content


async def test_a_letter_about_an_end_shows_how_the_job_trained(context: Context) -> None:
    png = curve_png(points(START))

    async def draw(_message: Message) -> bytes | None:
        return png

    drawing = replace(context, curve=draw)
    async with Mailbox() as box:
        for message in (MESSAGE, message_of(a_transition(status="running")), message_of_test("mail", START)):
            assert isinstance(await mail(box.port, drawing).send(message), Delivered)
    with_picture, *without = [letter.content for letter in box.letters]
    assert [part.get_content_type() for part in with_picture.walk()] == [
        *("multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png")
    ]
    *_, page, picture = with_picture.walk()
    assert picture.get_payload(decode=True) == png
    name = picture["Content-ID"].strip("<>")
    assert f'<img src="cid:{name}"' in page.get_content()
    assert [letter.get_content_type() for letter in without] == ["multipart/alternative"] * 2
    assert not any("<img" in content_of(letter, "html") for letter in without)


@pytest.mark.parametrize("drawn", ["nothing", "for ever"])
async def test_a_letter_goes_out_without_a_picture_that_does_not_come(context: Context, drawn: str) -> None:
    async def draw(_message: Message) -> bytes | None:
        if drawn == "for ever":
            await asyncio.Event().wait()
        return None

    async with Mailbox() as box:
        notifier = mail(box.port, replace(context, curve=draw), drawing=0.05)
        assert isinstance(await notifier.send(MESSAGE), Delivered)
    assert "<img" not in content_of(box.letters[0].content, "html")


async def test_a_letter_tells_what_a_person_wants_to_know(context: Context) -> None:
    facts = JobFacts(
        error=JobError("invalid_file", 'line 17: <html> & "more"'), page_url="https://example.com/j/1?a=b&c=d"
    )
    async with Mailbox() as box:
        outcome = await mail(box.port, context, to=[ANN, BOB]).send(
            message_of(a_transition(status="failed", facts=facts))
        )
    assert outcome == Delivered("250 2.0.0 kept as letter 1")
    [letter] = box.letters
    assert (letter.sender, letter.recipients) == ("watcher@example.com", [ANN, BOB])
    headers = dict(letter.content.items())
    assert headers["Subject"] == "❌ support-bot v3: failed"
    assert headers["From"] == "finetune-watcher <watcher@example.com>"
    assert headers["To"] == f"{ANN}, {BOB}"
    assert headers["Date"] == "Tue, 24 Nov 2026 12:00:00 +0000"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["Message-ID"] == f"<{MESSAGE.id}@example.com>"
    plain, page = content_of(letter.content, "plain"), content_of(letter.content, "html")
    assert 'Error: line 17: <html> & "more"\n' in plain.replace("\r\n", "\n")
    assert "Open the job at its service: https://example.com/j/1?a=b&c=d" in plain
    assert "line 17: &lt;html&gt; &amp; &quot;more&quot;" in page
    assert '<a href="https://example.com/j/1?a=b&amp;c=d">' in page
    assert MESSAGE.id in plain
    assert MESSAGE.id in page


def test_all_letters_about_a_job_are_one_thread() -> None:
    job = job_in("running")
    started = letter_of(message_of(replace(a_transition(), key=job.key)), "w@example.com", [ANN], START)
    missing = letter_of(
        message_of(ConditionChange(missing_condition(job, START), 7, START)), "w@example.com", [ANN], START
    )
    other = letter_of(MESSAGE, "w@example.com", [ANN], START)
    alone = letter_of(message_of_test("mail", START), "w@example.com", [ANN], START)
    assert started["References"] == started["In-Reply-To"] == missing["References"]
    assert started["Message-ID"] != missing["Message-ID"]
    assert other["References"] not in {None, started["References"]}
    assert alone["References"] is None


@settings(deadline=None)
@given(hostile_facts(), st.integers(1, 3000))
def test_no_text_forges_a_header_or_becomes_markup(facts: list[Detail], times: int) -> None:
    facts = [*facts, Detail("<i>", "<script>\r\nBcc: all@example.com\r\n.\r\n")]
    message = replace(MESSAGE, title="x\r\nBcc: all@example.com\r\n" * times, facts=tuple(facts), url="javascript:x")
    letter = letter_of(message, "w@example.com", [ANN], START)
    raw = letter.as_bytes()
    assert letter["Bcc"] is None
    assert len(letter["Subject"]) <= 200
    assert not any(line.startswith(b"Bcc:") for line in raw.partition(b"\r\n\r\n")[0].splitlines())
    assert max(map(len, raw.splitlines())) <= 998
    assert "<script" not in content_of(letter, "html")
    assert "<i>" not in content_of(letter, "html")
    assert "javascript:" not in content_of(letter, "html")
    assert not set("\u202e\ud800").intersection(content_of(letter, "plain"))


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_login_goes_over_tls_with_a_certificate_that_is_checked(
    security: str, tls: ssl.SSLContext, context: Context
) -> None:
    login = {"user": "watcher", "password": PASSWORD, "security": security}
    async with Mailbox(tls, is_tls_from_the_start=security == "tls", login=("watcher", PASSWORD)) as box:
        outcome = await mail(box.port, context, **login).send(MESSAGE)
    assert isinstance(outcome, Delivered)
    assert box.logins == [("watcher", PASSWORD)]
    assert len(box.letters) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_of_nobody_we_know_is_not_accepted(security: str, tmp_path: Path, context: Context) -> None:
    server_tls, _ = certificates(tmp_path)
    async with Mailbox(server_tls, is_tls_from_the_start=security == "tls") as box:
        outcome = await mail(box.port, context, security=security).send(MESSAGE)
    assert outcome == Failed("TLS certificate not accepted: unable to get local issuer certificate")
    assert box.letters == []


async def test_nothing_is_sent_where_starttls_is_not_offered(tls: ssl.SSLContext, context: Context) -> None:
    async with Mailbox() as box:
        outcome = await mail(box.port, context, security="starttls").send(MESSAGE)
    assert outcome == Failed("STARTTLS extension not supported by server.")
    assert box.letters == []


async def test_a_login_that_is_refused_may_be_mended(tls: ssl.SSLContext, context: Context) -> None:
    login = {"user": "watcher", "password": PASSWORD, "security": "starttls"}
    async with Mailbox(tls, login=("watcher", "another")) as box:
        outcome = await mail(box.port, context, **login).send(MESSAGE)
    assert isinstance(outcome, Failed)
    assert outcome.error.startswith("535 ")


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        ({"refuse_sender": "550 5.7.1 not from here"}, Rejected("550 5.7.1 not from here")),
        ({"refuse_sender": "530 5.7.0 log in first"}, Failed("530 5.7.0 log in first")),
        ({"refuse_sender": "451 4.3.0 later"}, Failed("451 4.3.0 later")),
        ({"refuse": {ANN: ["550 5.1.1 no such user"]}}, Rejected(f"{ANN}: 550 5.1.1 no such user")),
        ({"refuse": {ANN: ["450 4.2.0 greylisted"]}}, Failed(f"{ANN}: 450 4.2.0 greylisted")),
        ({"refuse": {ANN: ["421 4.3.2 shutting down"]}}, Failed("421 4.3.2 shutting down")),
        ({"refuse_letters": ["554 5.6.0 not this"]}, Rejected("554 5.6.0 not this")),
        ({"refuse_letters": ["452 4.3.1 disk full"]}, Failed("452 4.3.1 disk full")),
    ],
)
async def test_the_servers_replies_are_sorted(refusal: dict[str, Any], expected: Outcome, context: Context) -> None:
    async with Mailbox(**refusal) as box:
        assert await mail(box.port, context).send(MESSAGE) == expected
    assert box.letters == []


async def test_who_is_refused_for_good_keeps_it_from_nobody_else(context: Context) -> None:
    async with Mailbox(refuse={BOB: ["550 no such user"]}) as box:
        outcome = await mail(box.port, context, to=[ANN, BOB]).send(MESSAGE)
    assert outcome == Delivered(f"250 2.0.0 kept as letter 1, but {BOB}: 550 no such user")


async def test_who_is_refused_for_now_gets_it_later_and_nobody_gets_it_twice(context: Context) -> None:
    async with Mailbox(refuse={BOB: ["450 greylisted", "450 greylisted"]}) as box:
        notifier = mail(box.port, context, to=[ANN, BOB])
        outcomes = [await notifier.send(MESSAGE) for _ in range(4)]
    assert outcomes == [
        Failed(f"not yet taken for {BOB}: 450 greylisted"),
        Failed(f"{BOB}: 450 greylisted"),
        Delivered("250 2.0.0 kept as letter 2"),
        Delivered("250 2.0.0 kept as letter 3"),  # another delivery of the same event, such as a retry by hand
    ]
    assert [letter.recipients for letter in box.letters] == [[ANN], [BOB], [ANN, BOB]]


async def test_a_server_that_is_not_there_is_a_failure(context: Context) -> None:
    async with Mailbox() as box:
        port = box.port
    assert await mail(port, context).send(MESSAGE) == Failed("cannot speak to the mail server: Connection refused")


async def test_a_name_that_cannot_be_one_is_a_failure(context: Context) -> None:
    outcome = await mail(25, context, host="a" * 70 + ".example").send(MESSAGE)
    assert outcome == Failed("the name of the mail server cannot be looked up")


@pytest.mark.parametrize(
    ("replies", "told"),
    [
        ([], "the server broke off or does not speak SMTP"),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "the server broke off or does not speak SMTP"),
        ([b"554 5.3.2 no service here\r\n"], "554 5.3.2 no service here"),
        ([b"220 x\r\n", b"502 what?\r\n", b"502 what?\r\n"], "502 what?"),
        ([b"220 x\r\n", b"250 x\r\n", b"250-" + b"x" * 10_000 + b"\r\n"], "500 Line too long."),
    ],
)
async def test_a_server_that_speaks_otherwise_is_a_failure(replies: list[bytes], told: str, context: Context) -> None:
    async with Scripted(replies) as server:
        outcome = await mail(server.port, context).send(MESSAGE)
    assert isinstance(outcome, Failed | Rejected)
    assert told in outcome.error


@pytest.mark.parametrize(
    "replies", [[None], [b"220 x\r\n", None], [b"220 x\r\n", b"250 x\r\n", b"250 x\r\n", b"250 x\r\n", None]]
)
async def test_a_server_that_hangs_is_given_up_and_left(replies: list[bytes | None], context: Context) -> None:
    async with Scripted(replies) as server:
        assert await mail(server.port, context, 0.2).send(MESSAGE) == Failed("no answer within 0.2 s")
        async with asyncio.timeout(5):
            await server.ended.wait()


async def test_a_reply_without_an_end_is_broken_off(context: Context) -> None:
    async with Scripted([b"220-still greeting\r\n" * 1_000_000]) as server:
        outcome = await mail(server.port, context).send(MESSAGE)
        assert outcome == Failed("the server broke off or does not speak SMTP")
        async with asyncio.timeout(5):
            await server.ended.wait()


async def test_conversations_that_hang_are_bounded(context: Context) -> None:
    async with Scripted([None]) as server:
        notifier = mail(server.port, context, 0.5)
        outcomes = await asyncio.gather(*(notifier.send(MESSAGE) for _ in range(10)))
    assert outcomes.count(Failed(STILL_HANGING)) == 2
    assert outcomes.count(Failed("no answer within 0.5 s")) == 8


async def test_a_password_that_comes_back_is_not_told(tls: ssl.SSLContext, context: Context) -> None:
    login = {"user": "watcher", "password": PASSWORD, "security": "tls"}
    refusal = f"550 refused AUTH PLAIN AHdhdGNoZXIAcEE1NS1vZi10aGUtbWFpbGJveA== {PASSWORD}"
    async with Mailbox(tls, is_tls_from_the_start=True, login=("watcher", PASSWORD), refuse_letters=[refusal]) as box:
        outcome = await mail(box.port, context, **login).send(MESSAGE)
    assert isinstance(outcome, Rejected)
    assert "***" in outcome.error
    assert PASSWORD not in outcome.error
    assert "cEE1NS1vZi10aGUtbWFpbGJveA" not in outcome.error


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"host": "-x"}, "expected the name of a mail server"),
        ({"sender": "Ann <ann@example.com>"}, "expected an e-mail address"),
        ({"to": []}, "at least 1"),
        ({"to": ["ann@example.com\r\nBcc: x@example.com"]}, "expected an e-mail address"),
        ({"user": "ann"}, "needs both user and password"),
        ({"password": PASSWORD}, "needs both user and password"),
        ({"user": "ann", "password": PASSWORD}, "with starttls or tls only"),
        ({"user": "ann", "password": "pä"}, "printable ASCII"),
        ({"port": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_cannot_work_are_mistakes(given: dict[str, Any], told: str, context: Context) -> None:
    with pytest.raises(ValidationError, match=told) as caught:
        mail(given.pop("port", 25), context, **given)
    assert PASSWORD not in str(caught.value)
