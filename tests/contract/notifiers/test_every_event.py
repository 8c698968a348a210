"""Every kind of event through every notifier, and through every other form that it is told in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from unittest.mock import AsyncMock

import pytest

from tests.contract.notifiers.conftest import BULLETIN, STDOUT, TRIALS, WEBHOOK, Trial
from tests.doubles import START, ManualClock, ScriptedNotifier, a_transition, runtime
from tests.every_event import events, messages
from watcher.domain.conditions import ConditionChange, Health
from watcher.domain.deliveries import Delivered, Delivery, DeliveryState
from watcher.domain.jobs import JobFacts, JobKey
from watcher.domain.messages import ENVELOPE_LIMIT, encode, line_of, message_of
from watcher.domain.overview import delivery_row, history_rows
from watcher.domain.routing import Events, FirstSeen, Route
from watcher.domain.summaries import message_of_several
from watcher.domain.transitions import Transition
from watcher.engine.delivery.direct import DirectDelivery
from watcher.engine.ports import Notifier
from watcher.engine.self_monitoring import SelfMonitoring
from watcher.logs import LogOptions, WatcherLog
from watcher.plugins.notifier import Context

EVENTS, MESSAGES = events(), messages()


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.kind)
async def test_every_notifier_tells_of_every_kind_of_event(
    trial: Trial, make: Callable[..., Notifier], arrived: Callable[[], list[str]], subtests: pytest.Subtests
) -> None:
    notifier = make(trial)
    for name, message in MESSAGES.items():
        with subtests.test(name):
            assert isinstance(await notifier.send(message, None), Delivered)
    told = zip(MESSAGES.items(), arrived(), strict=True)  # many share an id: each has to come in its turn
    assert [name for (name, message), text in told if message.id not in text] == []


@pytest.mark.parametrize("trial", [t for t in TRIALS if t not in (STDOUT, WEBHOOK, BULLETIN)], ids=lambda t: t.kind)
async def test_people_are_led_to_the_pages_of_a_job(
    trial: Trial, make: Callable[..., Notifier], arrived: Callable[[], list[str]], context: Context
) -> None:
    notifier = make(trial, replace(context, public_url="https://watcher.example.com"))
    message = message_of(a_transition(facts=JobFacts(page_url="https://service.example/jobs/1")))
    assert isinstance(await notifier.send(message, None), Delivered)
    [text] = arrived()
    assert "https://watcher.example.com/jobs/openai/ftjob-abc123" in text
    assert "https://service.example/jobs/1" in text


@pytest.mark.parametrize("trial", [t for t in TRIALS if t not in (STDOUT, WEBHOOK, BULLETIN)], ids=lambda t: t.kind)
async def test_news_of_no_job_or_of_several_lead_to_the_overview(
    trial: Trial, make: Callable[..., Notifier], arrived: Callable[[], list[str]], context: Context
) -> None:
    notifier = make(trial, replace(context, public_url="https://watcher.example.com"))
    for name in ("several events", "source silent: watcher.source.unreachable"):
        assert isinstance(await notifier.send(MESSAGES[name], None), Delivered)
    assert ["https://watcher.example.com" in text for text in arrived()] == [True, True]


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.kind)
async def test_a_receipt_of_before_hinders_no_notifier(trial: Trial, make: Callable[..., Notifier]) -> None:
    outcome = await make(trial).send(message_of(a_transition()), "1795521600.000100")

    assert isinstance(outcome, Delivered)


def test_every_message_has_an_envelope(subtests: pytest.Subtests) -> None:
    for name, message in MESSAGES.items():
        with subtests.test(name):
            text = encode(message)
            envelope = json.loads(text)
            assert len(text) <= ENVELOPE_LIMIT
            assert text.isascii()
            assert text.isprintable()
            assert (envelope["id"], envelope["type"], envelope["object"]) == (message.id, message.type, "event")


def test_every_message_is_a_line_that_names_it(subtests: pytest.Subtests) -> None:
    for name, message in MESSAGES.items():
        with subtests.test(name):
            line = line_of(message)
            assert line.isprintable()
            assert message.id in line
            assert "None" not in line


def test_every_event_is_shown_as_a_delivery_and_in_its_history(subtests: pytest.Subtests) -> None:
    for name, event in EVENTS.items():
        with subtests.test(name):
            row = delivery_row(Delivery(1, "chat", event, DeliveryState.PENDING, 0, START, START), START, ["chat"])
            assert (row["event_id"], row["observed_at"]) == (event.id, "2026-11-24T12:00:00+00:00")
            assert row["reason"] == ("reminder 1" if name.endswith(", still") else None)
            json.dumps(row)
            if isinstance(event, Transition):
                (shown,) = history_rows([event], START)
                json.dumps(shown)


async def test_every_event_is_told_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """With its id, as what came of sending it, and the conditions as they are recorded too."""
    heard = replace(runtime(ManualClock()), log=WatcherLog(LogOptions("debug", "json")))
    everything = Route("chat", first_seen=FirstSeen.ALWAYS, events=frozenset(Events))
    async with DirectDelivery({"chat": ScriptedNotifier()}, [everything], heard, tick_seconds=0.01) as delivery:
        for event in EVENTS.values():
            delivery.tell(event)
    changes = [event for event in EVENTS.values() if isinstance(event, ConditionChange)]
    takes_all_for_news = AsyncMock(
        **{"conditions.return_value": {}, "lingering.return_value": (), "record_findings.return_value": changes}
    )
    monitoring = SelfMonitoring(
        takes_all_for_news, heard, routes=(), stuck_after={}, wake_delivery=lambda: None, watcher="w1"
    )
    await monitoring.look([Health("openai", rejection="HTTP 401")], [])

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    sent = Counter(line["event_id"] for line in lines if line["event"] == "delivery accepted")
    recorded = [line["event"] for line in lines if line["event"] != "delivery accepted"]
    assert sent == Counter(event.id for event in EVENTS.values())
    assert recorded == [change.title for change in changes]


def test_another_services_word_is_told_in_the_documented_ones_with_its_own_beside() -> None:
    message = MESSAGES["running in another service's word"]

    assert message.type == "fine_tuning.job.running"
    assert {name: message.data[name] for name in ("status", "state", "native_status", "previous_status")} == {
        "status": "running",
        "state": "running",
        "native_status": "COMPRESSING",
        "previous_status": "running",
    }


def test_several_events_are_one_message_with_the_gravest_first_and_an_id_of_just_these() -> None:
    good, bad = a_transition(), a_transition(key=JobKey("openai", "ftjob-2"), name="tutor", status="failed")
    together = message_of_several([good, bad])

    assert [(row.name, row.outcome) for row in together.table] == [("tutor", "failed"), ("support-bot v3", "succeeded")]
    assert together.severity is message_of(bad).severity
    assert together.id == message_of_several([bad, good]).id != message_of_several([good, a_transition(seq=3)]).id
    assert message_of_several([good]) == message_of(good)
