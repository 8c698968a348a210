"""A clock that was set back, on both databases: no wait is longer than a rule of ours asks for."""

from __future__ import annotations

from datetime import timedelta

from tests.contract.store.scenes import (
    DELIVERED,
    KEY,
    MINUTE,
    NOON,
    SECOND,
    claim,
    claim_jobs,
    key,
    keys,
    owe,
    settle,
    watch,
)
from watcher.domain.deliveries import DeliveryState, Failed
from watcher.engine.ports import LongestWaits
from watcher.store.sql import Selection, SqlStore

HOUR = timedelta(hours=1)
BACK = NOON - HOUR
"""What the clock says after it was set back at noon."""


async def test_jobs_that_are_due_too_far_away_become_due_now(store: SqlStore) -> None:
    await watch(store, key(1), now=BACK + 3 * MINUTE)
    await watch(store, key(2), key(3), now=BACK + 3 * MINUTE + SECOND)
    assert await store.cap_waits(BACK, LongestWaits(3 * MINUTE, HOUR, MINUTE)) == 2
    assert keys(await claim_jobs(store, now=BACK)) == [key(2), key(3)]


async def test_jobs_that_are_polled_no_more_stay_so(store: SqlStore) -> None:
    await owe(store, ["succeeded"])
    await watch(store, key(2), now=NOON)
    await store.remove_job(key(2), NOON)
    assert await store.cap_waits(BACK, LongestWaits(MINUTE, MINUTE, 10 * HOUR)) == 1  # the delivery
    assert await claim_jobs(store, now=NOON) == ()


async def test_a_delivery_that_was_never_tried_is_due_now(store: SqlStore) -> None:
    """It waits for nothing but the moment at which its transition was seen."""
    await owe(store, ["running"])
    assert await claim(store, BACK) == ()
    assert await store.cap_waits(BACK, LongestWaits(10 * HOUR, HOUR, HOUR)) == 1
    (delivery,) = await claim(store, BACK)
    assert delivery.next_at == BACK


async def test_a_delivery_that_waits_longer_than_any_rule_asks_for_is_due_now(store: SqlStore) -> None:
    await owe(store, ["running"])
    await settle(store, await claim(store, NOON), Failed("HTTP 503"), NOON)
    (waiting,) = await store.deliveries()
    wait = waiting.next_at - BACK
    assert await store.cap_waits(BACK, LongestWaits(10 * HOUR, wait, HOUR)) == 0
    assert await store.cap_waits(BACK, LongestWaits(10 * HOUR, wait - SECOND, HOUR)) == 1
    assert len(await claim(store, BACK)) == 1


async def test_claims_that_hold_too_long_are_given_up_and_those_of_now_are_not(store: SqlStore) -> None:
    await owe(store, ["running"], "pager", "chat")
    await claim(store, NOON, pager=1)
    await store.claim({"chat": 1}, NOON, BACK + 31 * MINUTE)
    assert await store.cap_waits(BACK, LongestWaits(2 * HOUR, 2 * HOUR, 31 * MINUTE)) == 2
    assert [each.notifier for each in await claim(store, BACK, pager=1, chat=1)] == ["pager"]


async def test_a_claim_that_was_given_up_cannot_be_settled_by_whoever_held_it(store: SqlStore) -> None:
    await owe(store, ["running"])
    held = await claim(store, NOON)
    assert await store.cap_waits(BACK, LongestWaits(MINUTE, MINUTE, MINUTE)) == 3
    again = await claim(store, BACK)
    await settle(store, held, DELIVERED)
    assert [each.state for each in await store.deliveries()] == [DeliveryState.PENDING]
    await settle(store, again, DELIVERED)
    assert [each.state for each in await store.deliveries()] == [DeliveryState.DELIVERED]


async def test_what_is_held_is_not_brought_forward(store: SqlStore) -> None:
    await owe(store, ["running"])
    await claim(store, NOON)
    before = await store.deliveries()
    await store.remove_job(KEY, NOON)
    assert await store.cap_waits(BACK, LongestWaits(MINUTE, MINUTE, 2 * HOUR)) == 0
    assert await store.deliveries() == before


async def test_what_is_settled_stays_so(store: SqlStore) -> None:
    await owe(store, ["succeeded"], "pager", "chat")
    await settle(store, await claim(store), DELIVERED, NOON)
    await store.discard(Selection(), NOON)
    before = await store.deliveries()
    assert await store.cap_waits(BACK, LongestWaits(MINUTE, MINUTE, MINUTE)) == 0
    assert await store.deliveries() == before
