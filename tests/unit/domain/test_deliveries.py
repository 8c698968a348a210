"""The schedule of retries."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import START, job_in, observation
from watcher.domain.deliveries import (
    SERVICE_RETRY_POLICY,
    Delivered,
    Delivery,
    DeliveryState,
    Failed,
    Rejected,
    SettlementReason,
    after_attempt,
)
from watcher.domain.transitions import detect

SCHEDULE = [5, 30, 120, 600, 1800, 3600, 3600, 3600]
"""The waits in seconds that users are promised."""


def pending(attempts: int = 0) -> Delivery:
    transition = detect(job_in("running"), observation("succeeded"))
    assert transition is not None
    return Delivery(1, "chat", transition, DeliveryState.PENDING, attempts, START, START + timedelta(hours=72))


def test_an_accepted_message_is_delivered() -> None:
    settled = after_attempt(pending(), Delivered("ok"), START, 0.0)

    assert (settled.state, settled.why, settled.error) == (DeliveryState.DELIVERED, SettlementReason.ACCEPTED, None)
    assert settled.answer == "ok"


@pytest.mark.parametrize(("said", "kept"), [("", None), ("x" * 5000, "x" * 299 + "…"), ("a\nb", r"a\nb")])
def test_of_an_answer_so_much_is_kept_as_is_read(said: str, kept: str | None) -> None:
    assert after_attempt(pending(), Delivered(said), START, 0.0).answer == kept


def test_a_rejected_message_is_dead_at_once() -> None:
    settled = after_attempt(pending(), Rejected("HTTP 410"), START, 0.0)

    assert (settled.state, settled.why, settled.error) == (DeliveryState.DEAD, SettlementReason.REJECTED, "HTTP 410")


@pytest.mark.parametrize(("attempts", "seconds"), list(enumerate(SCHEDULE)))
def test_failures_are_retried_as_promised(attempts: int, seconds: int) -> None:
    settled = after_attempt(pending(attempts), Failed("HTTP 500"), START, 0.0)

    assert settled.state is DeliveryState.PENDING
    assert settled.next_at - START == timedelta(seconds=seconds)
    assert (settled.why, settled.error) == (SettlementReason.RETRY_SCHEDULED, "HTTP 500")


@given(st.integers(0, 100), st.floats(-1, 1))
def test_jitter_moves_a_retry_by_a_fifth_at_most(attempts: int, jitter: float) -> None:
    wait = after_attempt(pending(attempts), Failed(""), START, jitter).next_at - START
    planned = timedelta(seconds=SCHEDULE[min(attempts, 5)])

    assert planned * 0.8 <= wait + timedelta(microseconds=1)
    assert wait <= planned * 1.2 + timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("asked", "waits", "why"),
    [
        (timedelta(seconds=1), timedelta(seconds=5), SettlementReason.RETRY_SCHEDULED),
        (timedelta(minutes=3), timedelta(minutes=3), SettlementReason.RECEIVER_ASKED_TO_WAIT),
        (timedelta(days=9), timedelta(hours=24), SettlementReason.RECEIVER_ASKED_TO_WAIT),
    ],
)
def test_a_receiver_may_ask_for_a_longer_wait_up_to_a_day(
    asked: timedelta, waits: timedelta, why: SettlementReason
) -> None:
    settled = after_attempt(pending(), Failed("HTTP 429", asked), START, 0.0)

    assert (settled.next_at - START, settled.why) == (waits, why)


def test_after_72_hours_a_failing_delivery_is_dead() -> None:
    """The last attempt is made when the time is up, not up to an hour before."""
    late = after_attempt(pending(50), Failed("x"), START + timedelta(hours=71, minutes=30), 0.0)
    last = after_attempt(pending(51), Failed("x"), START + timedelta(hours=72), 0.0)

    assert (late.state, late.next_at) == (DeliveryState.PENDING, START + timedelta(hours=72))
    assert (last.state, last.why) == (DeliveryState.DEAD, SettlementReason.GAVE_UP)


def test_a_delivery_is_tried_once_however_late_it_is() -> None:
    """A watcher that was down for a week still says what it owes; only then does it give up."""
    assert after_attempt(pending(), Delivered(), START + timedelta(days=7), 0.0).state is DeliveryState.DELIVERED


def test_an_outage_over_a_long_weekend_ends_in_delivery() -> None:
    delivery, now, attempts = pending(), START, 0
    while now < START + timedelta(hours=70):
        settled = after_attempt(delivery, Failed("down"), now, 0.0, SERVICE_RETRY_POLICY)
        assert settled.state is DeliveryState.PENDING
        attempts, now = attempts + 1, settled.next_at
        delivery = replace(delivery, attempts=attempts)

    assert after_attempt(delivery, Delivered(), now, 0.0).state is DeliveryState.DELIVERED
    assert attempts < 80
