"""The PagerDuty notifier: which news open an alert, which resolve it, and which are changes only."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.doubles import START, a_transition, job_in
from tests.loopback import LoopbackReceiver, Reply
from tests.unit.notifiers.conftest import hostile_facts
from watcher.domain.conditions import (
    STUCK_AFTER,
    ConditionChange,
    Health,
    missing_condition,
    source_conditions,
    stuck_condition,
)
from watcher.domain.deliveries import Failed, Rejected
from watcher.domain.jobs import JobFacts
from watcher.domain.messages import Detail, Message, message_of, message_of_test
from watcher.notifiers.pagerduty import Config, PagerDuty, compose, dedup_key_of
from watcher.plugins.notifier import Context

KEY = "0123456789abcdef0123456789abcdef"
MESSAGE = message_of(a_transition())


def pagerduty(receiver: LoopbackReceiver, context: Context) -> PagerDuty:
    return PagerDuty(Config(routing_key=KEY, url=receiver.url), context)


def source_message(health: Health) -> Message:
    return message_of(ConditionChange(source_conditions(health, START)[0], 7, START))


def test_a_failure_opens_an_alert_named_after_the_job() -> None:
    facts = JobFacts(page_url="https://example.com/jobs/1")
    event: Any = compose(message_of(a_transition(status="failed", facts=facts)))
    assert (event["event_action"], event["dedup_key"]) == ("trigger", "finetune-watcher/openai/ftjob-abc123")
    assert event["links"] == [{"href": "https://example.com/jobs/1", "text": "Open the job at its service"}]
    payload = event["payload"]
    assert (payload["summary"], payload["severity"]) == ("support-bot v3: failed", "error")
    assert (payload["source"], payload["class"]) == ("openai", "fine_tuning.job.failed")
    assert payload["timestamp"] == "2026-11-24T12:00:00.000+00:00"
    assert payload["custom_details"]["Event"] == MESSAGE.id


@pytest.mark.parametrize("status", ["succeeded", "cancelled"])
def test_an_end_that_needs_no_person_resolves_the_jobs_alert(status: str) -> None:
    event = compose(message_of(a_transition(status=status)))
    assert (event["event_action"], event["dedup_key"]) == ("resolve", "finetune-watcher/openai/ftjob-abc123")


def test_a_job_that_is_stuck_or_missing_is_a_warning_that_the_jobs_end_resolves() -> None:
    job = job_in("running", status_since=START - timedelta(days=3))
    stuck = stuck_condition(job, START, STUCK_AFTER)
    assert stuck
    for condition in (stuck, missing_condition(job, START)):
        event: Any = compose(message_of(ConditionChange(condition, 7, START)))
        assert (event["event_action"], event["payload"]["severity"]) == ("trigger", "warning")
        assert event["dedup_key"] == f"finetune-watcher/{job.key}"
    ended = replace(a_transition(), key=job.key)
    assert dedup_key_of(message_of(ended)) == f"finetune-watcher/{job.key}"


def test_a_source_that_answers_again_resolves_the_alert_of_its_silence() -> None:
    silent = compose(source_message(Health("openai", failing_since=START - timedelta(hours=1), error="HTTP 503")))
    well = compose(source_message(Health("openai", last_success=START)))
    assert (silent["event_action"], well["event_action"]) == ("trigger", "resolve")
    assert silent["dedup_key"] == well["dedup_key"] == "finetune-watcher/source/openai/reach"


@pytest.mark.parametrize("message", [message_of(a_transition(status="running")), message_of_test("chat", START)])
async def test_other_news_are_change_events(message: Message, receiver: LoopbackReceiver, context: Context) -> None:
    receiver.replies = [Reply(202, b'{"status":"success"}')]
    await pagerduty(receiver, context).send(message)
    [request] = receiver.requests
    assert request.target == "/v2/change/enqueue"
    body = json.loads(request.body)
    assert body["routing_key"] == KEY
    assert set(body) == {"routing_key", "payload"}
    assert set(body["payload"]) == {"summary", "source", "timestamp", "custom_details"}


async def test_alerts_go_to_the_events_api(receiver: LoopbackReceiver, context: Context) -> None:
    await pagerduty(receiver, context).send(MESSAGE)
    [request] = receiver.requests
    assert request.target == "/v2/enqueue"
    assert json.loads(request.body) == {"routing_key": KEY, **compose(MESSAGE)}


@settings(deadline=None)
@given(hostile_facts(), st.integers(1, 3000), st.text(min_size=1).map(lambda text: text * 50))
def test_nothing_breaks_pagerdutys_limits(facts: list[Detail], times: int, thread: str) -> None:
    message = replace(MESSAGE, title="😀\n" * times, facts=tuple(facts), thread=thread)
    text = json.dumps(compose(message))
    event = json.loads(text)
    assert len(text) < 512_000
    assert 0 < len(event["payload"]["summary"]) <= 1024
    assert len(event["dedup_key"]) <= 255
    assert event["dedup_key"].isascii()
    assert len(event["payload"]["custom_details"]) == min(len(facts), 40) + 4 + (len(facts) > 40)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(400, b'{"status":"invalid event","message":"Event object is invalid","errors":["x"]}'), Rejected),
        (Reply(400, b"Invalid routing key"), Failed),
        (Reply(400, b'{"status":["invalid event"]}'), Failed),
        (Reply(429, b"Request Limit Exceeded"), Failed),
    ],
)
async def test_pagerdutys_answers_are_sorted(
    reply: Reply, expected: type, receiver: LoopbackReceiver, context: Context
) -> None:
    receiver.replies = [reply]
    assert isinstance(await pagerduty(receiver, context).send(MESSAGE), expected)


async def test_a_key_that_comes_back_in_an_answer_is_not_told(receiver: LoopbackReceiver, context: Context) -> None:
    receiver.replies = [Reply(400, f"Invalid routing key {KEY}".encode())]
    outcome = await pagerduty(receiver, context).send(MESSAGE)
    assert outcome == Failed("400 Bad Request: Invalid routing key ***")


@pytest.mark.parametrize("key", ["short", KEY + "0", KEY[:-1] + "-"])
def test_what_is_no_integration_key_is_a_mistake(key: str) -> None:
    with pytest.raises(ValidationError, match="integration key of 32 characters"):
        Config(routing_key=key)
