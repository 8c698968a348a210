"""The store of deliveries, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.contract.store.scenes import (
    DELIVERED,
    FAILED,
    KEY,
    MINUTE,
    NOON,
    REJECTED,
    SECOND,
    claim,
    key,
    owe,
    settle,
)
from tests.doubles import transition_of
from watcher.domain.deliveries import Delivered, Delivery, DeliveryState, Failed, Outcome
from watcher.store.sql import Selection, SqlStore

LATER = NOON + MINUTE
PENDING, DEAD, DONE, DISCARDED = (
    DeliveryState.PENDING,
    DeliveryState.DEAD,
    DeliveryState.DELIVERED,
    DeliveryState.DISCARDED,
)


def statuses(deliveries: Sequence[Delivery]) -> list[str]:
    return [transition_of(delivery).status for delivery in deliveries]


async def test_a_delivery_is_claimed_as_it_was_recorded(store: SqlStore) -> None:
    await owe(store)
    (recorded,) = await store.deliveries()
    assert list(await claim(store)) == [replace(recorded, claimed_until=LATER + MINUTE)]


async def test_a_claimed_delivery_is_not_claimed_again_while_the_claim_holds(store: SqlStore) -> None:
    await owe(store)
    assert len(await claim(store)) == 1
    assert await claim(store) == ()
    assert await claim(store, LATER + MINUTE - timedelta(microseconds=1)) == ()


async def test_after_a_crash_between_send_and_settle_the_claim_expires(url: str) -> None:
    async with SqlStore(url) as store:
        await owe(store)
        (lost,) = await claim(store)
    async with SqlStore(url) as store:
        assert list(await claim(store, LATER + MINUTE)) == [replace(lost, claimed_until=LATER + 2 * MINUTE)]


async def test_a_settlement_is_dropped_when_somebody_else_took_the_claim_over(store: SqlStore) -> None:
    await owe(store)
    slow = await claim(store)
    quick = await claim(store, LATER + MINUTE)
    await settle(store, slow, REJECTED)
    assert await store.deliveries() == list(quick)
    await settle(store, quick, DELIVERED, LATER)
    await settle(store, quick, REJECTED, LATER)
    assert [(each.state, each.attempts) for each in await store.deliveries()] == [(DONE, 1)]


async def test_a_settlement_counts_after_its_claim_expired_if_nobody_took_over(store: SqlStore) -> None:
    await owe(store)
    await settle(store, await claim(store), DELIVERED, LATER + 5 * MINUTE)
    assert [each.state for each in await store.deliveries()] == [DONE]


async def test_what_was_never_claimed_cannot_be_settled(store: SqlStore) -> None:
    await owe(store)
    unclaimed = await store.deliveries()
    await settle(store, unclaimed, DELIVERED)
    assert await store.deliveries() == unclaimed


@pytest.mark.parametrize(
    ("outcome", "state", "next_at", "error", "answer"),
    [
        (DELIVERED, DONE, LATER, None, DELIVERED.answer),
        (FAILED, PENDING, LATER + timedelta(seconds=5), FAILED.error, None),
        (Failed("429", retry_after=timedelta(hours=1)), PENDING, LATER + timedelta(hours=1), "429", None),
        (REJECTED, DEAD, LATER, REJECTED.error, None),
    ],
)
async def test_an_attempt_leaves_its_mark(
    store: SqlStore, outcome: Outcome, state: DeliveryState, next_at: object, error: str | None, answer: str | None
) -> None:
    await owe(store)
    (claimed,) = await claim(store)
    await settle(store, [claimed], outcome, LATER)
    (left,) = await store.deliveries()
    settled_at = None if state is PENDING else LATER
    assert (left.state, left.next_at, left.settled_at) == (state, next_at, settled_at)
    assert (left.last_error, left.answer) == (error, answer)
    assert (left.attempts, left.claimed_until, left.event) == (1, None, claimed.event)


async def test_a_failed_delivery_is_due_again_at_its_time(store: SqlStore) -> None:
    await owe(store)
    await settle(store, await claim(store), FAILED, LATER)
    assert await claim(store, LATER + 4 * SECOND) == ()
    assert [each.attempts for each in await claim(store, LATER + 5 * SECOND)] == [1]


async def test_errors_and_answers_are_stored_fit_to_be_shown(store: SqlStore) -> None:
    await owe(store)
    hostile, shown = "nul \0 half \ud83d esc \x1b[2J", r"nul \x00 half \ud83d esc \x1b[2J"
    await settle(store, await claim(store), Failed(hostile))
    assert (await store.deliveries())[0].last_error == shown
    await settle(store, await claim(store, LATER), Delivered(hostile), LATER)
    assert (await store.deliveries())[0].answer == shown


@pytest.mark.parametrize("outcome", [DELIVERED, REJECTED])
async def test_transitions_of_a_job_go_to_a_notifier_in_order(store: SqlStore, outcome: Outcome) -> None:
    await owe(store, ["queued", "running", "succeeded"])
    order = []
    for _ in range(3):
        claimed = await claim(store)
        order.append(statuses(claimed))
        await settle(store, claimed, outcome, LATER)
    assert order == [["queued"], ["running"], ["succeeded"]]


async def test_a_failing_delivery_holds_up_later_ones_of_its_job_and_notifier_only(store: SqlStore) -> None:
    await owe(store, ["queued", "running"], "pager", "chat")
    await owe(store, ["queued", "running"], "pager", job=key(2))
    first = await claim(store, pager=10, chat=10)
    assert [(each.notifier, transition_of(each).key) for each in first] == [
        ("pager", KEY),
        ("chat", KEY),
        ("pager", key(2)),
    ]
    await settle(store, first[:1], FAILED, LATER)
    await settle(store, first[1:], DELIVERED, LATER)
    second = await claim(store, pager=10, chat=10)
    assert [(each.notifier, transition_of(each).key) for each in second] == [("chat", KEY), ("pager", key(2))]
    assert statuses(await claim(store, LATER + 5 * SECOND)) == ["queued"]


async def test_a_discarded_delivery_lets_the_next_one_pass(store: SqlStore) -> None:
    await owe(store, ["queued", "running"])
    (claimed,) = await claim(store)
    await store.discard(Selection(ids=(claimed.id,)), LATER)
    assert statuses(await claim(store)) == ["running"]


async def test_each_notifier_has_a_capacity_of_its_own(store: SqlStore) -> None:
    for number in range(4):
        await owe(store, ["running"], "pager", "chat", "idle", job=key(number))
    claimed = await claim(store, pager=1, chat=3, idle=0, unknown=5)
    assert sorted(each.notifier for each in claimed) == ["chat", "chat", "chat", "pager"]


async def test_the_longest_due_are_claimed_first(store: SqlStore) -> None:
    for number in (1, 2, 3):
        await owe(store, ["queued"], job=key(number))
    await settle(store, (await claim(store, pager=1)), FAILED, LATER)
    claimed = await claim(store, LATER + MINUTE, pager=2)
    assert [transition_of(each).key for each in claimed] == [key(2), key(3)]


async def test_two_watchers_never_claim_the_same_delivery(url: str, store: SqlStore) -> None:
    for number in range(30):
        await owe(store, ["queued"], job=key(number))
    async with SqlStore(url) as other:
        claims = await asyncio.gather(*(claim(each, pager=4) for _ in range(10) for each in (store, other)))
    assert sorted(each.id for claimed in claims for each in claimed) == sorted(
        each.id for each in await store.deliveries()
    )


async def test_deliveries_are_listed_newest_first_and_as_asked(store: SqlStore) -> None:
    await owe(store, ["queued", "running", "succeeded"], "pager", "chat")
    await settle(store, await claim(store, pager=1), REJECTED)
    await settle(store, await claim(store, chat=1), DELIVERED)
    everything = await store.deliveries()
    assert [each.id for each in everything] == [6, 5, 4, 3, 2, 1]
    assert await store.deliveries(limit=2) == everything[:2]
    assert [each.id for each in await store.deliveries(states=[DONE, DEAD])] == [2, 1]
    assert [each.id for each in await store.deliveries(states=[PENDING], notifier="chat")] == [6, 4]
    assert await store.deliveries(states=[]) == []


async def test_requeueing_makes_a_dead_delivery_due_now_for_another_three_days(store: SqlStore) -> None:
    await owe(store)
    await settle(store, await claim(store), REJECTED, LATER)
    (dead,) = await store.deliveries()
    now = NOON + timedelta(days=100)
    assert await store.requeue(Selection(), now) == 1
    expected = replace(dead, state=PENDING, next_at=now, give_up_at=now + timedelta(hours=72), settled_at=None)
    assert await store.deliveries() == [expected]
    assert [each.id for each in await claim(store, now)] == [dead.id]


async def test_requeueing_hurries_a_pending_delivery(store: SqlStore) -> None:
    await owe(store)
    await settle(store, await claim(store), Failed("503", timedelta(hours=5)), LATER)
    assert await store.requeue(Selection(notifier="pager"), LATER + SECOND) == 1
    assert [each.attempts for each in await claim(store, LATER + SECOND)] == [1]


async def test_requeueing_leaves_a_delivery_in_the_hands_of_who_sends_it(store: SqlStore) -> None:
    await owe(store)
    claimed = await claim(store)
    assert await store.requeue(Selection(), LATER + SECOND) == 1
    assert await claim(store, LATER + SECOND) == ()
    await settle(store, claimed, DELIVERED, LATER + SECOND)
    assert [each.state for each in await store.deliveries()] == [DONE]


async def test_requeueing_takes_an_expired_claim_away(store: SqlStore) -> None:
    await owe(store)
    lost = await claim(store)
    await store.requeue(Selection(), LATER + MINUTE)
    await settle(store, lost, REJECTED, LATER + MINUTE)
    assert [(each.state, each.claimed_until) for each in await store.deliveries()] == [(PENDING, None)]


async def test_discarding_ends_pending_and_dead_deliveries(store: SqlStore) -> None:
    await owe(store, ["queued", "running"])
    claimed = await claim(store)
    assert await store.discard(Selection(), LATER) == 2
    await settle(store, claimed, FAILED, LATER)
    left = await store.deliveries()
    assert [(each.state, each.settled_at, each.claimed_until) for each in left] == [(DISCARDED, LATER, None)] * 2
    assert await claim(store) == ()


@pytest.mark.parametrize("verb", ["requeue", "discard"])
async def test_what_is_delivered_or_discarded_stays_so(store: SqlStore, verb: str) -> None:
    await owe(store, ["queued"], "pager", "chat")
    await settle(store, await claim(store), DELIVERED)
    await store.discard(Selection(notifier="chat"), NOON)
    before = await store.deliveries()
    assert await getattr(store, verb)(Selection(), LATER) == 0
    assert await store.deliveries() == before


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (Selection(), [1, 2, 3, 4, 5, 6]),
        (Selection(ids=(2, 5, 99)), [2, 5]),
        (Selection(notifier="chat"), [2, 4, 6]),
        (Selection(since=NOON + SECOND), [3, 4, 5, 6]),
        (Selection(ids=(1, 2, 5), notifier="pager", since=NOON + SECOND), [5]),
        (Selection(notifier="nobody"), []),
    ],
)
@pytest.mark.parametrize("verb", ["requeue", "discard"])
async def test_a_selection_takes_what_meets_all_its_conditions(
    store: SqlStore, verb: str, selection: Selection, chosen: list[int]
) -> None:
    await owe(store, ["queued", "running", "succeeded"], "pager", "chat")
    assert await getattr(store, verb)(selection, LATER) == len(chosen)
    touched = [each.id for each in await store.deliveries() if each.state is DISCARDED or each.next_at == LATER]
    assert sorted(touched) == chosen
