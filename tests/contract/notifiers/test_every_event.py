"""Every kind of event through every notifier, and through every other form that it is told in."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.contract.notifiers.conftest import TRIALS, Trial
from tests.doubles import START, a_transition
from tests.every_event import events, messages
from watcher.domain.deliveries import Delivered, Delivery, DeliveryState
from watcher.domain.messages import ENVELOPE_LIMIT, encode, line_of, message_of, message_of_several
from watcher.domain.overview import delivery_row, history_rows
from watcher.domain.transitions import Transition
from watcher.engine.ports import Notifier

EVENTS, MESSAGES = events(), messages()
every_event = pytest.mark.parametrize("name", EVENTS)
every_message = pytest.mark.parametrize("name", MESSAGES)


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.kind)
async def test_every_notifier_tells_of_every_kind_of_event(
    trial: Trial, make: Callable[..., Notifier], arrived: Callable[[], list[str]]
) -> None:
    notifier, failed = make(trial), []
    for name, message in MESSAGES.items():
        try:
            outcome = await notifier.send(message, None)
        except Exception as error:  # noqa: BLE001 - each of them is to be named
            failed.append(f"{name}: {error!r}")
            continue
        if not isinstance(outcome, Delivered) or not any(message.id in text for text in arrived()):
            failed.append(f"{name}: {outcome}")

    assert failed == []


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.kind)
async def test_a_receipt_of_before_hinders_no_notifier(trial: Trial, make: Callable[..., Notifier]) -> None:
    outcome = await make(trial).send(message_of(a_transition()), "1795521600.000100")

    assert isinstance(outcome, Delivered)


@every_message
def test_every_message_has_an_envelope(name: str) -> None:
    message = MESSAGES[name]
    text = encode(message)
    envelope = json.loads(text)

    assert len(text) <= ENVELOPE_LIMIT
    assert text.isascii()
    assert text.isprintable()
    assert (envelope["id"], envelope["type"], envelope["object"]) == (message.id, message.type, "event")


@every_message
def test_every_message_is_a_line_that_names_it(name: str) -> None:
    line = line_of(MESSAGES[name])

    assert line.isprintable()
    assert MESSAGES[name].id in line
    assert "None" not in line


@every_event
def test_every_event_is_shown_as_a_delivery_and_in_its_history(name: str) -> None:
    event = EVENTS[name]
    delivery = Delivery(1, "chat", event, DeliveryState.PENDING, 0, START, START)
    row = delivery_row(delivery, START, ["chat"])

    assert (row["event_id"], row["observed_at"]) == (event.id, "2026-11-24T12:00:00+00:00")
    json.dumps(row)
    if isinstance(event, Transition):
        (shown,) = history_rows([event], START)
        json.dumps(shown)


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
    good, bad = a_transition(), a_transition(seq=2, status="failed")
    together = message_of_several([good, bad])

    assert [fact.value for fact in together.facts] == ["support-bot v3: failed", "support-bot v3: succeeded"]
    assert together.severity is message_of(bad).severity
    assert together.id == message_of_several([bad, good]).id != message_of_several([good, a_transition(seq=3)]).id
    assert message_of_several([good]) == message_of(good)
