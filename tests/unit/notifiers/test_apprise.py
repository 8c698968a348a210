"""The bridge to Apprise: one attempt, yes or no, in a bounded thread."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from apprise.decorators import notify

from tests.doubles import a_transition
from tests.loopback import LoopbackReceiver, Reply
from watcher.domain.deliveries import Delivered, Failed
from watcher.domain.jobs import JobError, JobFacts
from watcher.domain.messages import message_of
from watcher.errors import ConfigurationError
from watcher.notifiers.apprise import AppriseNotifier, Config
from watcher.plugins.notifier import Context

MESSAGE = message_of(a_transition())
TOKEN = "token-of-the-bridge"
PASSWORD = "pA55-of-the-bridge"


def bridge(receiver: LoopbackReceiver, context: Context, patience: float = 10.0) -> AppriseNotifier:
    url = receiver.url.replace("http://", "json://") + f"/{TOKEN}"
    return AppriseNotifier(Config(url=url), context, timedelta(seconds=patience))


async def test_a_failure_is_told_in_plain_text(receiver: LoopbackReceiver, context: Context) -> None:
    facts = JobFacts(error=JobError("c", "<b>\x1b[31m"), page_url="https://example.com/j/1")
    message = replace(message_of(a_transition(status="failed", facts=facts)), title="x\n" * 500)
    assert await bridge(receiver, context).send(message) == Delivered()
    [request] = receiver.requests
    content = json.loads(request.body)
    assert (content["type"], content["title"][:4]) == ("failure", r"x\nx")
    assert len(content["title"]) <= 200
    assert "\nError: <b>\\x1b[31m\n" in content["message"]
    assert content["message"].endswith(f"Event: {MESSAGE.id}\nOpen the job at its service: https://example.com/j/1")


@pytest.mark.parametrize("reply", [Reply(500), Reply(429, headers={"retry-after": "30"}), Reply(410), Reply(403)])
async def test_every_failure_is_alike_and_tried_once(
    reply: Reply, receiver: LoopbackReceiver, context: Context
) -> None:
    receiver.replies = [reply]
    outcome = await bridge(receiver, context).send(MESSAGE)
    assert isinstance(outcome, Failed)
    assert str(reply.status) in outcome.error
    assert outcome.retry_after is None
    assert len(receiver.requests) == 1


async def test_a_service_that_hangs_is_given_up(receiver: LoopbackReceiver, context: Context) -> None:
    receiver.replies = [Reply(instead="hang")]
    assert await bridge(receiver, context, 0.3).send(MESSAGE) == Failed("no answer within 0.3 s")


@pytest.mark.parametrize("url", ["nonsense://x", "json://a.example , json://b.example", "", f"jsons://{TOKEN}@ x"])
def test_what_is_no_url_of_one_target_is_a_mistake_that_does_not_repeat_it(url: str, context: Context) -> None:
    with pytest.raises(ConfigurationError, match="Apprise URL of one service") as caught:
        AppriseNotifier(Config(url=url), context)
    assert TOKEN not in str(caught.value)


def test_several_targets_are_a_mistake(context: Context) -> None:
    with pytest.raises(ConfigurationError, match="one target"):
        AppriseNotifier(Config(url="ntfy://ntfy.example/one/two"), context)


def test_without_apprise_the_extra_is_named(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigurationError, match=r"finetune-watcher\[apprise\]"):
        AppriseNotifier(Config(url="json://a.example"), context)


async def test_a_secret_in_what_apprise_says_is_not_told(context: Context) -> None:
    @notify(on="echoing")  # type: ignore[no-untyped-call, untyped-decorator]
    def _echo(body: str, title: str, notify_type: str, *args: object, **kwargs: object) -> bool:
        logging.getLogger("apprise").warning("refused by https://example.com/%s with %s", TOKEN, PASSWORD)
        return False

    notifier = AppriseNotifier(Config(url=f"echoing://user:{PASSWORD}@host/{TOKEN}"), context)
    outcome = await notifier.send(MESSAGE)
    assert isinstance(outcome, Failed)
    assert outcome.error.startswith("Apprise says no: refused by https://example.com*** with ***")
