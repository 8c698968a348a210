"""The Discord notifier: what an embed looks like, its limits, and its manners."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.doubles import START, a_transition
from tests.loopback import LoopbackReceiver, Reply
from tests.unit.notifiers.conftest import RecordingPacer, hostile_facts
from watcher.domain.deliveries import Delivered, Failed, Rejected
from watcher.domain.jobs import JobError, JobFacts
from watcher.domain.messages import Detail, Message, Severity, TableRow, message_of, message_of_test
from watcher.domain.samples import sample
from watcher.domain.text import utf16_length
from watcher.notifiers.discord import Config, Discord, compose
from watcher.plugins.notifier import Context

MESSAGE = message_of(a_transition())


def discord(receiver: LoopbackReceiver, context: Context, query: str = "") -> Discord:
    return Discord(Config(webhook_url=f"{receiver.url}/api/webhooks/1/token-of-it{query}"), context)


def embed_of(message: Message) -> dict[str, Any]:
    [embed] = json.loads(json.dumps(compose(message)))["embeds"]
    assert isinstance(embed, dict)
    return embed


def test_a_success_tells_what_a_person_wants_to_know() -> None:
    facts = JobFacts(fine_tuned_model="ft:gpt-4o:my_org::AbC", page_url="https://example.com/jobs/ftjob_1")
    embed = embed_of(message_of(a_transition(facts=facts)))
    assert embed["title"] == "✅ support-bot v3: succeeded"
    assert embed["url"] == "https://example.com/jobs/ftjob_1"
    assert {"name": "Fine-tuned model", "value": "`ft:gpt-4o:my_org::AbC`", "inline": False} in embed["fields"]
    assert {"name": "Before", "value": "running", "inline": True} in embed["fields"]
    assert embed["footer"] == {"text": f"source openai · team nlp · event {MESSAGE.id}"}
    assert embed["timestamp"] == "2026-11-24T12:00:00+00:00"


def test_a_failure_is_red_and_its_reason_is_plain_text() -> None:
    error = JobError("invalid_file", "**bold** [x](http://y) <@1> @everyone `code`\n# head")
    embed = embed_of(message_of(a_transition(status="failed", facts=JobFacts(error=error))))
    assert embed["color"] == 0xC62828
    assert embed["fields"][-1] == {
        "name": "Error",
        "value": r"\*\*bold\*\* \[x](http://y) \<\@1> \@everyone \`code\` / # head",
        "inline": True,
    }


@pytest.mark.parametrize("start", ["# big", "- item", "> quoted", "-# small"])
def test_a_value_begins_no_heading_list_or_quotation(start: str) -> None:
    embed = embed_of(replace(MESSAGE, facts=(Detail("Error", start),)))
    assert embed["fields"][0]["value"] == f"\\{start}"


@settings(deadline=None)
@given(hostile_facts(), st.integers(1, 3000))
def test_nothing_breaks_discords_limits_or_mentions_anybody(facts: list[Detail], times: int) -> None:
    content = json.loads(json.dumps(compose(replace(MESSAGE, title="@everyone\n😀" * times, facts=tuple(facts)))))
    [embed] = content["embeds"]
    texts = [embed["title"], embed["footer"]["text"], embed.get("description", "")]
    assert content["allowed_mentions"] == {"parse": []}
    assert utf16_length(embed["title"]) <= 256
    assert len(embed["fields"]) <= 25
    assert bool(embed.get("description")) == (len(embed["fields"]) < len(facts))
    for field in embed["fields"]:
        assert 0 < utf16_length(field["name"]) <= 256
        assert 0 < utf16_length(field["value"]) <= 1024
        texts += [field["name"], field["value"]]
        free = re.sub(r"\\.", "", field["value"]) if not field["value"].startswith("`") else field["value"][1:-1]
        assert "`" not in free
        assert field["value"].startswith("`") or not re.search(r"[*_~|\[@]|^[#>+-]", free)
    assert sum(map(utf16_length, texts)) <= 6000
    assert not set("\n\u202e\ud800").intersection("".join(texts))


@pytest.mark.parametrize(
    ("query", "target"), [("", "?wait=true"), ("?thread_id=7&wait=false", "?thread_id=7&wait=true")]
)
async def test_it_asks_for_an_answer_and_passes_it_on(
    query: str, target: str, receiver: LoopbackReceiver, context: Context, pacer: RecordingPacer
) -> None:
    assert await discord(receiver, context, query).send(MESSAGE) == Delivered("200 OK: ok")
    [request] = receiver.requests
    assert request.target == f"/api/webhooks/1/token-of-it{target}"
    assert json.loads(request.body) == compose(MESSAGE)
    assert pacer.turns == [(f"{receiver.url}/api/webhooks/1/token-of-it{query}", timedelta(seconds=0.5))]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(404, b'{"message": "Unknown Webhook", "code": 10015}'), Rejected),
        (Reply(401, b'{"message": "Invalid Webhook Token", "code": 50027}'), Rejected),
        (Reply(400, b'{"embeds": ["0"], "code": 50035, "message": "Invalid Form Body"}'), Rejected),
        (Reply(404, b"<html>not here</html>"), Failed),
        (Reply(400, b'["code", 50035]'), Failed),
        (Reply(400, b'{"code": 0, "message": "400: Bad Request"}'), Failed),
        (Reply(400, b"[" * 100_000), Failed),
        (Reply(500, b'{"code": 50035}'), Rejected),
        (Reply(204, b""), Delivered),
    ],
)
async def test_discords_codes_are_sorted(
    reply: Reply, expected: type, receiver: LoopbackReceiver, context: Context
) -> None:
    receiver.replies = [reply]
    assert isinstance(await discord(receiver, context).send(MESSAGE), expected)


@pytest.mark.parametrize(
    ("body", "wait"),
    [
        (b'{"message": "You are being rate limited.", "retry_after": 0.247, "global": false}', 0.247),
        (b'{"retry_after": 64}', 64.0),
        (b'{"retry_after": 1e300}', 365 * 86_400.0),
        (b'{"retry_after": 0}', 65.0),
        (b'{"retry_after": -3}', 65.0),
        (b'{"retry_after": NaN}', 65.0),
        (b'{"retry_after": true}', 65.0),
        (b'{"retry_after": "2"}', 65.0),
        (b"error code: 1015", 65.0),
    ],
)
async def test_the_body_says_in_fractions_how_long_to_wait_else_the_header_does(
    body: bytes, wait: float, receiver: LoopbackReceiver, context: Context
) -> None:
    receiver.replies = [Reply(429, body, {"retry-after": "65"})]
    outcome = await discord(receiver, context).send(MESSAGE)
    assert isinstance(outcome, Failed)
    assert outcome.retry_after == timedelta(seconds=wait)


def test_a_test_message_says_that_it_is_one() -> None:
    assert "Test message for notifier chat" in json.dumps(compose(message_of_test("chat", START)))


def test_several_events_are_lines_as_many_as_there_is_room_for() -> None:
    rows = tuple(TableRow(f"**job** {number}", "failed", Severity.BAD, "@everyone " * 12) for number in range(40))
    told = embed_of(replace(sample("several", START), table=rows))["description"].splitlines()
    assert told[0].startswith("❌ **\\*\\*job\\*\\* 0** · failed · \\@everyone")
    assert told[-1] == f"and {40 - len(told) + 1} more"
    assert sum(map(len, told)) < 3600
    assert embed_of(sample("several", START))["fields"] == []
