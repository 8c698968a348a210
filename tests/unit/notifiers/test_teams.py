"""The Microsoft Teams notifier: what a card looks like, its limits, and its manners."""

from __future__ import annotations

import json
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
from watcher.domain.messages import Detail, Message, Severity, TableRow, message_of
from watcher.domain.samples import sample
from watcher.notifiers.teams import PAYLOAD_LIMIT, Config, Teams, encode
from watcher.notifiers.wording import left_out
from watcher.plugins.notifier import Context

MESSAGE = message_of(a_transition())


def card_of(message: Message) -> dict[str, Any]:
    content = json.loads(encode(message))
    assert content["type"] == "message"
    [attachment] = content["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card: dict[str, Any] = attachment["content"]
    return card


def lines_of(card: dict[str, Any]) -> list[str]:
    blocks = [*card["body"][0]["items"], *card["body"][1:]]
    return ["".join(run["text"] for run in block["inlines"]) for block in blocks]


def test_a_failure_tells_what_a_person_wants_to_know() -> None:
    facts = JobFacts(error=JobError("invalid_file", "**not** [a link](http://x)"), page_url="https://example.com/j/1")
    card = card_of(message_of(a_transition(status="failed", facts=facts)))
    assert lines_of(card) == [
        "❌ support-bot v3: failed",
        "Job: ftjob-abc123",
        "Before: running",
        "Time in that status: 41m",
        "Error code: invalid_file",
        "Error: **not** [a link](http://x)",
        f"source openai · team nlp · time 2026-11-24 12:00:00 UTC · event {MESSAGE.id}",
    ]
    assert card["body"][0]["style"] == "attention"
    assert card["actions"] == [
        {"type": "Action.OpenUrl", "title": "Open the job at its service", "url": "https://example.com/j/1"}
    ]


@settings(deadline=None)
@given(hostile_facts(), st.integers(1, 3000))
def test_nothing_breaks_the_limit_or_is_read_as_markup(facts: list[Detail], times: int) -> None:
    message = replace(MESSAGE, title="**😀**\n" * times, facts=tuple(facts))
    assert len(encode(message)) <= 20_000
    card = card_of(message)
    lines = lines_of(card)
    assert MESSAGE.id in lines[-1]
    assert all(block["type"] in {"Container", "RichTextBlock"} for block in card["body"])  # neither knows Markdown
    assert all(lines)
    told = len(lines) - 2 - any("left out" in line for line in lines)
    assert told == len(facts) or left_out(len(facts) - told) in lines


async def test_it_posts_a_card_and_passes_on_the_answer(
    receiver: LoopbackReceiver, context: Context, pacer: RecordingPacer
) -> None:
    notifier = Teams(Config(webhook_url=f"{receiver.url}/workflows/1/invoke?sig=a%2Bb"), context)
    receiver.replies = [Reply(202, b"")]
    assert await notifier.send(MESSAGE) == Delivered("202 Accepted")
    [request] = receiver.requests
    assert request.target == "/workflows/1/invoke?sig=a%2Bb"
    assert request.body.decode() == encode(MESSAGE)
    assert pacer.turns == [(f"{receiver.url}/workflows/1/invoke?sig=a%2Bb", timedelta(seconds=0.25))]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(404, b'{"error":{"code":"WorkflowNotFound","message":"The workflow could not be found."}}'), Rejected),
        (Reply(400, b'{"error":{"code":"TriggerInputSchemaMismatch","message":"..."}}'), Rejected),
        (Reply(400, b'{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"..."}}'), Failed),
        (Reply(400, b'{"error":"WorkflowNotFound"}'), Failed),
        (Reply(401, b'{"error":{"code":"DirectApiAuthorizationRequired"}}'), Failed),
        (Reply(413, b""), Failed),
    ],
)
async def test_the_words_of_workflows_are_sorted(
    reply: Reply, expected: type, receiver: LoopbackReceiver, context: Context
) -> None:
    receiver.replies = [reply]
    assert isinstance(await Teams(Config(webhook_url=f"{receiver.url}/w"), context).send(MESSAGE), expected)


def test_several_events_are_a_table_that_fits() -> None:
    rows = tuple(TableRow(f"job {number}", "failed", Severity.BAD, "why " * 30) for number in range(40))
    several = replace(sample("several", START), table=rows)
    [head, *shown] = [block for block in card_of(several)["body"] if block["type"] == "ColumnSet"]
    texts = [[column["items"][0]["inlines"][0]["text"] for column in row["columns"]] for row in (head, shown[0])]
    assert texts == [["Job", "Outcome", "Details"], ["job 0", "❌ failed", ("why " * 30)]]
    assert len(encode(several)) <= PAYLOAD_LIMIT
    assert f"{40 - len(shown)} more lines are left out" in encode(several)
