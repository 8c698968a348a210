"""Slack in place: one message for each job that is edited, its history in the thread, outcomes that are seen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from pydantic import ValidationError

from tests.doubles import START, ManualClock, a_transition, job_in
from tests.loopback import Reply
from tests.slack_api import TOKEN, Workspace
from tests.unit.notifiers.conftest import RecordingPacer
from watcher.domain.conditions import ConditionChange, Health, found_condition, missing_condition, source_conditions
from watcher.domain.deliveries import Delivered, Failed, Outcome, Rejected
from watcher.domain.jobs import JobKey
from watcher.domain.messages import Message, message_of, message_of_test
from watcher.domain.states import JobState
from watcher.domain.summaries import message_of_several
from watcher.engine.ports import Notifier
from watcher.errors import ConfigurationError
from watcher.notifiers.slack.plugin import Config, plugin
from watcher.plugins.notifier import Context, ShowsProgress, UpdatesInPlace

KEY = JobKey("openai", "ftjob-abc123")


@pytest.fixture
async def workspace() -> AsyncIterator[Workspace]:
    async with Workspace() as opened:
        yield opened


def bot(workspace: Workspace, context: Context, **more: Any) -> Notifier:
    given = {"token": TOKEN, "channel": "#ml-jobs", "api_url": f"{workspace.url}/api", **more}
    return plugin.build(Config.model_validate(given), context)


def step(status: str, **more: Any) -> Message:
    return message_of(a_transition(status=status, **more))


def missing(**more: Any) -> Message:
    job = job_in("running", name="support-bot v3")._replace(key=KEY, **more)
    return message_of(ConditionChange(missing_condition(job, START), 7, START))


def found(**more: Any) -> Message:
    job = job_in("running", name="support-bot v3")._replace(key=KEY, **more)
    return message_of(ConditionChange(found_condition(job), 8, START))


async def tell(notifier: Notifier, *messages: Message) -> str | None:
    """Deliver messages of one thread in turn, keeping the receipt as the store does."""
    receipt = None
    for message in messages:
        outcome = await notifier.send(message, receipt)
        assert isinstance(outcome, Delivered), outcome
        receipt = outcome.receipt or receipt
    return receipt


async def test_a_job_is_one_message_that_is_edited_with_its_history_in_the_thread(
    workspace: Workspace, context: Context
) -> None:
    await tell(bot(workspace, context), step("queued"), step("running"), step("succeeded"))
    [root] = workspace.roots()
    assert (root.channel, root.edits) == ("C0ML-JOBS", 2)
    assert root.headline == "✅ support-bot v3: succeeded"
    assert "ft:gpt-4o-mini-2024-07-18:my-org::AbC" in json.dumps(root.blocks)
    running, succeeded = workspace.thread_of(root)
    assert running.headline == "\u2139\ufe0f support-bot v3: running"
    assert succeeded.headline == "✅ support-bot v3: succeeded"
    assert len(succeeded.blocks) > len(running.blocks)
    assert not running.is_broadcast


async def draw(_message: Message) -> bytes:
    return b"PNG"


async def test_at_the_end_a_picture_of_the_training_stands_in_the_thread(
    workspace: Workspace, context: Context
) -> None:
    notifier = bot(workspace, replace(context, curve=draw))
    await tell(notifier, step("running"), missing(), step("succeeded"))
    [root] = workspace.roots()
    assert workspace.pictures == [(root.channel, root.ts, "How support-bot v3 trained", b"PNG")]


@pytest.mark.parametrize("method", ["files.getUploadURLExternal", "F1", "files.completeUploadExternal"])
async def test_a_picture_that_cannot_be_shown_costs_no_message(
    workspace: Workspace, context: Context, method: str
) -> None:
    """The bot may lack the scope `files:write`."""
    workspace.answers[method] = [Reply(500) if method == "F1" else "missing_scope"]
    assert isinstance(await bot(workspace, replace(context, curve=draw)).send(step("failed")), Delivered)
    assert (len(workspace.roots()), workspace.pictures) == (1, [])


@pytest.mark.parametrize("url", ["http://elsewhere.example/upload", "https://", "nonsense"])
async def test_a_picture_is_sent_to_no_unsafe_address(workspace: Workspace, context: Context, url: str) -> None:
    told = json.dumps({"ok": True, "file_id": "F1", "upload_url": url}).encode()
    workspace.answers["files.getUploadURLExternal"] = [Reply(body=told)]
    await tell(bot(workspace, replace(context, curve=draw)), step("succeeded"))
    assert (workspace.uploads, workspace.pictures) == ({}, [])


async def test_a_message_leads_to_the_page_of_its_job(workspace: Workspace, context: Context) -> None:
    notifier = bot(workspace, replace(context, public_url="https://watcher.example.com"))
    await tell(notifier, step("running", key=JobKey("openai", "a/b|>c")))
    [root] = workspace.roots()
    assert "<https://watcher.example.com/jobs/openai/a%2Fb%7C%3Ec|Open the job in the watcher>" in json.dumps(
        root.blocks
    )


async def test_a_receipt_is_all_that_another_process_needs(workspace: Workspace, context: Context) -> None:
    receipt = await tell(bot(workspace, context), step("running"))
    outcome = await bot(workspace, context).send(step("failed"), receipt)
    assert outcome == Delivered("answered in the thread")
    [root] = workspace.roots()
    assert root.headline == "❌ support-bot v3: failed"


async def test_only_a_failure_or_trouble_calls_people_and_only_in_a_new_message(
    workspace: Workspace, context: Context
) -> None:
    notifier = bot(workspace, context, mention=["@U02ABC", "!subteam^S01"])
    await tell(notifier, step("running"), missing(), step("failed"), step("running"), step("succeeded"))
    [root] = workspace.roots()
    calls = ["<@U02ABC> <!subteam^S01>" in json.dumps(message.blocks) for message in workspace.thread_of(root)]
    assert calls == [True, True, False, False]
    assert all(message.text.startswith("<@U02ABC> ") for message in workspace.thread_of(root)[:2])
    assert "U02ABC" not in json.dumps(root.blocks)


async def test_the_end_of_a_trouble_is_a_line_in_the_thread_that_calls_nobody(
    workspace: Workspace, context: Context
) -> None:
    notifier = bot(workspace, context, mention=["!here"], broadcast=["failed", "missing"])
    await tell(notifier, step("running"), missing(), found())
    [root] = workspace.roots()
    assert (root.headline, root.edits) == ("\u2139\ufe0f support-bot v3: running", 0)
    trouble, over = workspace.thread_of(root)
    assert over.text == "✅ support-bot v3 is known to its source again: running"
    assert ("<!here>" in json.dumps(over.blocks), trouble.is_broadcast, over.is_broadcast) == (False, True, False)


async def test_a_trouble_that_no_message_of_its_job_came_before_and_its_end_stand_by_themselves(
    workspace: Workspace, context: Context
) -> None:
    notifier = bot(workspace, context)
    assert await tell(notifier, missing(), found()) is None
    assert [root.headline for root in workspace.roots()] == [
        "❌ support-bot v3 is unknown to its source",
        "✅ support-bot v3 is known to its source again: running",
    ]


async def test_a_first_message_that_is_bad_news_calls_people(workspace: Workspace, context: Context) -> None:
    await tell(bot(workspace, context, mention=["!here"]), step("failed"))
    [root] = workspace.roots()
    assert root.text.startswith("<!here> ❌")


async def test_an_answer_is_shown_in_the_channel_where_the_settings_say_so(
    workspace: Workspace, context: Context
) -> None:
    notifier = bot(workspace, context, broadcast=["failed", "missing", "COMPRESSING"])
    compressing = step("COMPRESSING", state=JobState.RUNNING)
    await tell(notifier, step("queued"), compressing, step("succeeded"), step("failed"), missing())
    [root] = workspace.roots()
    assert [answer.is_broadcast for answer in workspace.thread_of(root)] == [True, False, True, True]


async def test_trouble_leaves_the_message_of_the_job_as_it_is(workspace: Workspace, context: Context) -> None:
    await tell(bot(workspace, context), step("running"), missing())
    [root] = workspace.roots()
    assert (root.edits, root.headline) == (0, "\u2139\ufe0f support-bot v3: running")
    assert workspace.thread_of(root)[0].headline == "❌ support-bot v3 is unknown to its source"


@pytest.mark.parametrize("word", ["message_not_found", "edit_window_closed", "cant_update_message"])
async def test_a_message_that_cannot_be_edited_is_posted_anew_and_edited_from_then_on(
    word: str, workspace: Workspace, context: Context
) -> None:
    notifier = bot(workspace, context)
    receipt = await tell(notifier, step("queued"))
    workspace.answers["chat.update"] = [word]
    outcome = await notifier.send(step("running"), receipt)
    assert isinstance(outcome, Delivered)
    await notifier.send(step("succeeded"), outcome.receipt)
    old, new = workspace.roots()
    assert (old.edits, new.edits) == (0, 1)
    assert outcome.receipt == json.dumps({"channel": new.channel, "ts": new.ts})
    assert [answer.headline for answer in workspace.thread_of(new)] == ["✅ support-bot v3: succeeded"]


async def test_trouble_is_posted_anew_where_the_thread_is_gone(workspace: Workspace, context: Context) -> None:
    notifier = bot(workspace, context)
    receipt = await tell(notifier, step("running"))
    workspace.delete(workspace.roots()[0])
    assert await notifier.send(missing(), receipt) == Delivered("posted")
    assert [root.headline for root in workspace.roots()] == ["❌ support-bot v3 is unknown to its source"]


async def test_a_retry_edits_the_same_message_again(workspace: Workspace, context: Context) -> None:
    notifier = bot(workspace, context)
    receipt = await tell(notifier, step("running"))
    workspace.answers["chat.postMessage"] = [Reply(503)]
    assert isinstance(await notifier.send(step("succeeded"), receipt), Failed)
    assert isinstance(await notifier.send(step("succeeded"), receipt), Delivered)
    [root] = workspace.roots()
    assert (root.edits, len(workspace.thread_of(root))) == (2, 1)


async def test_the_channel_is_chosen_by_a_label(workspace: Workspace, context: Context) -> None:
    notifier = bot(workspace, context, channel_by={"label": "team", "map": {"nlp": "#nlp"}})
    await notifier.send(step("running", labels={"team": "nlp"}))
    await notifier.send(step("running", labels={"team": "speech"}))
    await notifier.send(step("running", labels={}))
    await notifier.send(missing(labels={"team": "nlp"}))
    assert [root.channel for root in workspace.roots()] == ["C0NLP", "C0ML-JOBS", "C0ML-JOBS", "C0NLP"]


@pytest.mark.parametrize(
    "message",
    [
        message_of_test("chat", START),
        message_of_several([a_transition(), a_transition(seq=2)]),
        message_of(ConditionChange(source_conditions(Health("openai", rejection="HTTP 401"), START)[0], 7, START)),
    ],
)
async def test_what_is_about_no_single_job_is_a_message_of_its_own(
    message: Message, workspace: Workspace, context: Context
) -> None:
    receipt = json.dumps({"channel": "C0", "ts": "1.0"})
    assert await bot(workspace, context).send(message, receipt) == Delivered("posted")
    assert len(workspace.roots()) == 1


@pytest.mark.parametrize("receipt", ["", "1795521600.000100", "[]", "null", '{"channel": "C0"}'])
async def test_what_is_no_receipt_of_ours_is_none(receipt: str, workspace: Workspace, context: Context) -> None:
    assert isinstance(await bot(workspace, context).send(step("running"), receipt), Delivered)
    assert len(workspace.roots()) == 1


def test_a_step_on_the_way_may_be_superseded_an_outcome_or_trouble_never(
    workspace: Workspace, context: Context
) -> None:
    notifier = bot(workspace, context)
    assert isinstance(notifier, UpdatesInPlace)
    told = [*map(step, ("queued", "running", "paused", "succeeded", "failed", "cancelled")), missing()]
    assert [notifier.is_update(message) for message in told] == [True] * 3 + [False] * 4
    assert not notifier.is_update(message_of_test("chat", START))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("is_archived", Rejected("Slack says is_archived")),
        ("account_inactive", Rejected("Slack says account_inactive")),
        ("not_in_channel", Failed("Slack says not_in_channel")),
        ("invalid_auth", Failed("Slack says invalid_auth")),
        ("internal_error", Failed("Slack says internal_error")),
        (Reply(429, b'{"ok":false,"error":"ratelimited"}', {"retry-after": "30"}),
         Failed('429 Too Many Requests: {"ok":false,"error":"ratelimited"}', timedelta(seconds=30))),
        (Reply(200, b'{"ok":false,"error":"ratelimited"}', {"retry-after": "3"}),
         Failed("Slack says ratelimited", timedelta(seconds=3))),
        (Reply(200, b"<html>log in</html>"), Failed("not an answer of Slack's Web API: 200 OK: <html>log in</html>")),
        (Reply(200, b'{"ok":"true"}'), Failed('not an answer of Slack\'s Web API: 200 OK: {"ok":"true"}')),
        (Reply(410), Rejected("410 Gone: ok")),
        (Reply(302), Failed("302 Found: ok (redirects are not followed)")),
        (f"echoed {TOKEN}", Failed("Slack says echoed ***")),
    ],
)  # fmt: skip
async def test_slacks_words_are_sorted(
    answer: Reply | str, expected: Outcome, workspace: Workspace, context: Context
) -> None:
    workspace.answers["chat.postMessage"] = [answer]
    assert await bot(workspace, context).send(step("running")) == expected


async def test_no_status_is_taken_for_a_message_that_was_posted(
    workspace: Workspace, context: Context, subtests: pytest.Subtests
) -> None:
    notifier = bot(workspace, context)
    for status in (int(status) for status in HTTPStatus if status >= 200):
        with subtests.test(status=status):
            workspace.answers["chat.postMessage"] = [Reply(status)]
            outcome = await notifier.send(step("running"))
            assert isinstance(outcome, Rejected if status == 410 else Failed)
            assert str(status) in outcome.error


@pytest.mark.parametrize("word", ["invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"])
async def test_blocks_that_slack_does_not_take_are_sent_once_more_as_text(
    word: str, workspace: Workspace, context: Context
) -> None:
    workspace.answers["chat.postMessage"] = [word]
    assert isinstance(await bot(workspace, context).send(step("failed")), Delivered)
    [root] = workspace.roots()
    assert root.blocks == []
    assert "support-bot v3: failed" in root.text
    workspace.answers["chat.postMessage"] = [word, word]
    assert await bot(workspace, context).send(step("failed")) == Rejected(f"Slack says {word}")


async def test_posts_and_edits_keep_slacks_pace(workspace: Workspace, context: Context, pacer: RecordingPacer) -> None:
    await tell(bot(workspace, context), step("queued"), step("succeeded"))
    assert [(address.split()[2:], spacing.total_seconds()) for address, spacing in pacer.turns] == [
        (["chat.postMessage", "#ml-jobs"], 1.0),
        (["chat.update"], 1.2),
        (["chat.postMessage", "C0ML-JOBS"], 1.0),
    ]


WAYS = "give either webhook_url"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, WAYS),
        ({"token": TOKEN}, WAYS),
        ({"channel": "#x"}, WAYS),
        ({"token": TOKEN, "channel": "#x", "webhook_url": "https://hooks.example/x"}, WAYS),
        ({"token": TOKEN, "channel": "#x y"}, "the name or the id of a channel"),
        ({"token": TOKEN, "channel": "#x", "mention": ["@ann"]}, "whom to call, by id"),
        ({"token": TOKEN, "channel": "#x", "mention": ["<@U1> <!channel>"]}, "whom to call, by id"),
        ({"token": TOKEN, "channel": "#x", "channel_by": {"label": "team", "map": {"a": "<x>"}}}, "of a channel"),
    ],
)
def test_settings_that_cannot_work_are_mistakes(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told) as caught:
        Config.model_validate(given)
    assert TOKEN not in str(caught.value)


def test_an_address_that_cannot_be_used_is_a_mistake(context: Context) -> None:
    config = Config(token=TOKEN, channel="#x", api_url="http://127.0.0.999")
    with pytest.raises(ConfigurationError, match="notifier chat"):
        plugin.build(config, context)


async def test_progress_is_shown_in_the_message_of_the_job_and_calls_nobody(
    workspace: Workspace, context: Context
) -> None:
    notifier = bot(workspace, context, mention=["!here"])
    receipt = await tell(notifier, step("running"))
    assert isinstance(notifier, ShowsProgress)
    assert receipt
    await notifier.show(replace(step("running"), title="support-bot v3: running, 56 %"), receipt)
    [root] = workspace.roots()
    assert (root.edits, root.headline) == (1, "\u2139\ufe0f support-bot v3: running, 56 %")
    assert workspace.thread_of(root) == []


async def test_progress_gives_way_to_news_and_to_what_slack_asks_for(
    workspace: Workspace, context: Context, clock: ManualClock
) -> None:
    notifier = bot(workspace, context)
    receipt = await tell(notifier, step("running"))
    assert isinstance(notifier, ShowsProgress)
    assert receipt
    news = asyncio.create_task(notifier.send(step("succeeded"), receipt))
    await asyncio.sleep(0)
    await notifier.show(step("running"), receipt)
    assert isinstance(await news, Delivered)
    [root] = workspace.roots()
    assert (root.edits, root.headline) == (1, "✅ support-bot v3: succeeded")
    workspace.answers["chat.update"] = [Reply(429, b"", {"retry-after": "60"}), "message_not_found"]
    before = len(workspace.requests)
    await notifier.show(step("running"), receipt)
    await notifier.show(step("running"), receipt)
    await notifier.show(step("running"), "no receipt")
    assert len(workspace.requests) == before + 1
    clock.move(seconds=61)
    await notifier.show(step("running"), receipt)  # what is gone is posted anew with the next news
    assert len(workspace.requests) == before + 2


async def test_a_workspace_that_takes_no_table_gets_lines(workspace: Workspace, context: Context) -> None:
    workspace.answers["chat.postMessage"] = ["invalid_blocks"]
    several = message_of_several([a_transition(), a_transition(key=JobKey("openai", "ftjob-2"), status="failed")])
    assert await bot(workspace, context).send(several) == Delivered("posted")
    [root] = workspace.roots()
    assert "table" not in {block["type"] for block in root.blocks}
