"""The ntfy notifier: what a push notification says, its limits, and how a topic is addressed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.doubles import a_transition
from tests.loopback import LoopbackReceiver, Reply
from tests.unit.notifiers.conftest import hostile_facts
from watcher.domain.deliveries import Delivered, Failed, Rejected
from watcher.domain.jobs import JobError, JobFacts
from watcher.domain.messages import Detail, message_of
from watcher.notifiers.ntfy import Config, Ntfy, compose
from watcher.plugins.notifier import Context

MESSAGE = message_of(a_transition())


def test_a_failure_is_told_with_high_priority_and_leads_to_the_jobs_page() -> None:
    facts = JobFacts(model="gpt-4o-mini", page_url="https://example.com/jobs/1")
    content = compose(message_of(a_transition(status="failed", facts=facts)))
    assert content["title"] == "support-bot v3: failed"
    assert content["message"] == (
        "Job: ftjob-abc123\nModel: gpt-4o-mini\nBefore: running\nTime in that status: 41m\n"
        f"Source: openai\nTeam: nlp\nTime: 2026-11-24 12:00:00 UTC\nEvent: {MESSAGE.id}"
    )
    assert (content["priority"], content["tags"], content["click"]) == (4, ["x"], "https://example.com/jobs/1")
    assert content["actions"] == [
        {"action": "view", "label": "Open the job at its service", "url": "https://example.com/jobs/1"}
    ]


def test_a_phone_shows_first_what_went_wrong() -> None:
    message = compose(
        message_of(a_transition(status="failed", facts=JobFacts(error=JobError("c", "The file is empty."))))
    )
    assert str(message["message"]).startswith("Error code: c\nError: The file is empty.\nJob: ftjob-abc123")


def test_news_that_are_neither_good_nor_bad_make_no_sound() -> None:
    assert compose(message_of(a_transition(status="running")))["priority"] == 2


@settings(deadline=None)
@given(hostile_facts(), st.integers(1, 3000))
def test_nothing_breaks_the_limits_or_hides_the_id(facts: list[Detail], times: int) -> None:
    content = json.loads(json.dumps(compose(replace(MESSAGE, title="😀\n" * times, facts=tuple(facts)))))
    assert len(content["title"]) <= 250
    assert len(content["message"].encode()) <= 4096
    assert content["message"].endswith(f"\nEvent: {MESSAGE.id}")
    assert len(content["message"].splitlines()) <= len(facts) + 5
    assert not set("\u202e\ud800").intersection(content["message"])


async def test_a_topic_is_published_to_at_the_server_above_it(receiver: LoopbackReceiver, context: Context) -> None:
    notifier = Ntfy(Config(url=f"{receiver.url}/push/my-topic/", token="tk_1234567890"), context)
    receiver.replies = [Reply(200, b'{"id":"x","topic":"my-topic"}')]
    assert await notifier.send(MESSAGE) == Delivered('200 OK: {"id":"x","topic":"***"}')
    [request] = receiver.requests
    assert request.target == "/push/"
    assert request.headers["authorization"] == "Bearer tk_1234567890"
    assert json.loads(request.body) == {"topic": "my-topic", **compose(MESSAGE)}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(400, b'{"code":40009,"http":400,"error":"invalid request: topic invalid"}'), Rejected),
        (Reply(400, b'{"code":40024,"http":400,"error":"request body must be valid JSON"}'), Rejected),
        (Reply(403, b'{"code":40301,"http":403,"error":"forbidden"}'), Failed),
        (Reply(429, b'{"code":42908,"http":429,"error":"daily message quota reached"}'), Failed),
        (Reply(507, b'{"code":50701,"http":507}'), Failed),
    ],
)
async def test_ntfys_codes_are_sorted(
    reply: Reply, expected: type, receiver: LoopbackReceiver, context: Context
) -> None:
    receiver.replies = [reply]
    assert isinstance(await Ntfy(Config(url=f"{receiver.url}/my-topic"), context).send(MESSAGE), expected)


@pytest.mark.parametrize(
    "url", ["https://ntfy.sh", "https://ntfy.sh/", "https://ntfy.sh/a,b", "https://ntfy.sh/" + "x" * 65]
)
def test_an_address_without_one_topic_is_a_mistake(url: str) -> None:
    with pytest.raises(ValidationError, match="must name a topic"):
        Config(url=url)
