"""The Slack notifier: what a message looks like, its limits, and its manners."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.doubles import START, a_transition
from tests.loopback import LoopbackReceiver, Reply
from tests.unit.notifiers.conftest import RecordingPacer
from watcher.domain.deliveries import Delivered, Failed, Rejected
from watcher.domain.jobs import JobError, JobFacts
from watcher.domain.messages import Detail, Message, Severity, TableRow, message_of, message_of_test
from watcher.domain.samples import sample
from watcher.notifiers.slack.blocks import compose
from watcher.notifiers.slack.webhook import IncomingWebhook
from watcher.plugins.notifier import Context

MESSAGE = message_of(a_transition())
AND_MORE = TableRow("and 3 more", "", Severity.NEUTRAL)
SEVERAL = replace(sample("several", START), table=(*sample("several", START).table, AND_MORE))


def slack(receiver: LoopbackReceiver, context: Context) -> IncomingWebhook:
    return IncomingWebhook(SecretStr(f"{receiver.url}/services/T0/B0/X0"), context)


def mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def blocks_of(message: Message) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = json.loads(json.dumps(compose(message)))["blocks"]
    return blocks


def texts_of(blocks: Any) -> Iterator[dict[str, Any]]:
    """Find every text object."""
    if isinstance(blocks, list):
        for block in blocks:
            yield from texts_of(block)
    elif isinstance(blocks, dict):
        if isinstance(blocks.get("text"), str):
            yield blocks
        else:
            yield from texts_of(list(blocks.values()))


def test_a_success_tells_what_a_person_wants_to_know() -> None:
    assert compose(MESSAGE) == {
        "text": (
            "✅ support-bot v3: succeeded · Job: ftjob-abc123 · Model: gpt-4o-mini-2024-07-18 · Before: running · "
            "Time in that status: 41m · Fine-tuned model: ft:gpt-4o-mini-2024-07-18:my-org::AbC · "
            "Trained tokens: 1,234,567 · Duration: 1h"
        ),
        "blocks": [
            {"type": "header", "text": plain("✅ support-bot v3: succeeded")},
            {
                "type": "section",
                "fields": [
                    mrkdwn("*Job*\n`ftjob-abc123`"),
                    mrkdwn("*Model*\ngpt-4o-mini-2024-07-18"),
                    mrkdwn("*Before*\nrunning"),
                    mrkdwn("*Time in that status*\n41m"),
                    mrkdwn("*Fine-tuned model*\n`ft:gpt-4o-mini-2024-07-18:my-org::AbC`"),
                    mrkdwn("*Trained tokens*\n1,234,567"),
                    mrkdwn("*Duration*\n1h"),
                ],
            },
            {
                "type": "context",
                "elements": [
                    mrkdwn(
                        "source openai · team nlp · <!date^1795521600^{date_short_pretty} {time_secs}|"
                        f"2026-11-24 12:00:00 UTC> · {MESSAGE.id}"
                    )
                ],
            },
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def test_a_failure_tells_why_and_a_long_reason_has_a_section_of_its_own() -> None:
    reason = (
        "The file 'file-abc' could not be read, because line 17 is not JSON: <html> & more; " + "see the guide. " * 3
    )
    error = JobError("invalid_training_file", reason, "training_file")
    message = message_of(a_transition(status="failed", facts=JobFacts(error=error)))
    header, fields, section, _ = blocks_of(message)
    assert header["text"] == plain("❌ support-bot v3: failed")
    assert fields["fields"][-2:] == [
        mrkdwn("*Error code*\ninvalid_training_file"),
        mrkdwn("*Parameter*\ntraining_file"),
    ]
    assert section["text"]["text"].startswith("*Error*\nThe file 'file-abc'")
    assert "&lt;html&gt; &amp; more" in section["text"]["text"]


@pytest.mark.parametrize(
    ("status", "mark"),
    [
        ("succeeded", "✅"),
        ("failed", "❌"),
        ("cancelled", "🚫"),
        ("running", "\u2139\ufe0f"),
        ("paused", "\u2139\ufe0f"),
    ],
)
def test_the_mark_tells_how_to_take_it(status: str, mark: str) -> None:
    text = compose(message_of(a_transition(status=status)))["text"]
    assert str(text).startswith(f"{mark} support-bot v3: {status}")


def test_a_test_message_says_that_it_is_one() -> None:
    content = json.dumps(compose(message_of_test("chat", START)))
    assert "Test message for notifier chat" in content
    assert "arrive here" in content


def units(text: str) -> int:
    """Count characters as UTF-16 does."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


HOSTILE = [
    "<!channel>",
    "<@U123>",
    "<http://x|y>",
    "&lt;!here&gt;",
    "`",
    "```",
    "\n",
    "\u202e",
    "\ud800",
    "😀",
    "@here",
    "x",
]


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            Detail,
            st.sampled_from(["Error", "<!channel>", "x" * 3000]),
            st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=5).flatmap(
                lambda pieces: st.integers(1, 3000).map(lambda times: "".join(pieces) * times)
            ),
            st.booleans(),
        ),
        max_size=60,
    ),
    st.integers(1, 3000),
)
def test_nothing_breaks_slack_s_limits_or_pings_anybody(facts: list[Detail], times: int) -> None:
    message = replace(MESSAGE, title="<!channel>\n😀" * times, facts=tuple(facts))
    content = json.loads(json.dumps(compose(message)))
    blocks = content["blocks"]
    assert len(blocks) <= 50
    assert units(blocks[0]["text"]["text"]) <= 150
    for block in blocks:
        assert len(block.get("fields", [])) <= 10
        assert all(units(field["text"]) <= 2000 for field in block.get("fields", []))
    for text in [content["text"], *(found["text"] for found in texts_of(blocks))]:
        assert 0 < units(text) <= 3000
        free = re.sub(r"<!date\^\d+\^[^<>|]*\|[^<>]*>", "", text)  # of our own making
        assert not re.search(r"[<>\u202e\ud800]|&(?!amp;|lt;|gt;)", free)
    assert all(found["verbatim"] for found in texts_of(blocks) if found["type"] == "mrkdwn")


def test_a_cut_is_shown_and_cuts_no_entity() -> None:
    header = blocks_of(replace(MESSAGE, title="&" * 200))[0]
    assert re.fullmatch(r"✅ (&amp;){29}…", header["text"]["text"])


def test_a_backtick_does_not_end_a_name_to_be_copied() -> None:
    message = replace(MESSAGE, facts=(Detail("Model", "a`b\nc", is_code=True),))
    assert blocks_of(message)[1]["fields"] == [mrkdwn("*Model*\n`a'b\\nc`")]


async def test_it_posts_json_and_passes_on_slack_s_answer(receiver: LoopbackReceiver, context: Context) -> None:
    assert await slack(receiver, context).send(MESSAGE) == Delivered("200 OK: ok")
    [request] = receiver.requests
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == compose(MESSAGE)
    assert request.target == "/services/T0/B0/X0"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(200, b"ok\n"), Delivered),
        (Reply(200, b"<html>log in</html>"), Delivered),
        (Reply(404, b"<html>not here</html>"), Failed),
        (Reply(400, b"invalid_payload"), Rejected),
        (Reply(403, b"action_prohibited"), Rejected),
        (Reply(404, b"no_service"), Rejected),
        (Reply(410, b"channel_is_archived"), Rejected),
        (Reply(429, b"rate_limited"), Failed),
        (Reply(500, b"rollup_error"), Failed),
    ],
)
async def test_slack_s_words_are_sorted_and_told(
    reply: Reply, expected: type, receiver: LoopbackReceiver, context: Context
) -> None:
    receiver.replies = [reply]
    outcome = await slack(receiver, context).send(MESSAGE)
    assert isinstance(outcome, expected)
    assert reply.body.decode().strip() in str(outcome)


async def test_every_attempt_waits_for_its_turn_at_that_address(
    receiver: LoopbackReceiver, context: Context, pacer: RecordingPacer
) -> None:
    notifier = slack(receiver, context)
    await notifier.send(MESSAGE)
    await notifier.send(MESSAGE)
    assert pacer.turns == [(f"{receiver.url}/services/T0/B0/X0", timedelta(seconds=1))] * 2


async def test_how_long_slack_asks_to_be_left_alone_is_passed_on(receiver: LoopbackReceiver, context: Context) -> None:
    receiver.replies = [Reply(429, headers={"retry-after": "30"})]
    assert await slack(receiver, context).send(MESSAGE) == Failed("429 Too Many Requests: ok", timedelta(seconds=30))


def test_a_job_that_has_a_page_is_linked() -> None:
    facts = JobFacts(page_url="https://example.com/finetune/ftjob-1?a=<!channel>|x")
    sections = blocks_of(message_of(a_transition(facts=facts)))
    assert sections[-2]["text"]["text"] == (
        "<https://example.com/finetune/ftjob-1?a=%3C!channel%3E%7Cx|Open the job at its service>"
    )


def test_several_events_are_a_table_whose_texts_are_no_markup() -> None:
    hostile = replace(SEVERAL, table=(TableRow("<!channel>", "failed", Severity.BAD, "*x* " * 100), *SEVERAL.table))
    [table] = [block for block in blocks_of(hostile) if block["type"] == "table"]
    head, first, *rest = [[cell["text"] for cell in row] for row in table["rows"]]
    assert head == ["Job", "Outcome", "Details"]
    assert first[:2] == ["<!channel>", "❌ failed"]
    assert len(first[2]) == 120
    assert rest[-1][2] == "\u2013"  # an empty cell is refused
    assert {cell["type"] for row in table["rows"] for cell in row} == {"raw_text"}


async def test_a_slack_that_takes_no_table_gets_lines(receiver: LoopbackReceiver, context: Context) -> None:
    receiver.replies = [Reply(400, b"invalid_blocks"), Reply()]
    assert isinstance(await slack(receiver, context).send(SEVERAL), Delivered)
    first, second = [[block["type"] for block in json.loads(each.body)["blocks"]] for each in receiver.requests]
    assert "table" in first
    assert "table" not in second
    assert "section" in second
