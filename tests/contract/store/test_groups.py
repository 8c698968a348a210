"""What is held back: it goes out when its time has come, together, and never out of order. On both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from tests.contract.store.scenes import FAILED, KEY, MINUTE, NOON, SECOND, claim, key, move, settle, the_job, watch
from tests.doubles import transition_of
from watcher.domain.conditions import Condition
from watcher.domain.deliveries import Delivered, Delivery
from watcher.domain.jobs import JobKey
from watcher.domain.notifications import Planned
from watcher.engine.ports import Finding
from watcher.store.deliveries import MOST_GROUPED
from watcher.store.sql import SqlStore

LATER = NOON + 10 * MINUTE
HELD = Planned("pager", hold_until=LATER, group_key="batch one")
AT_ONCE = Planned("pager", releases=True)


async def see(store: SqlStore, job: JobKey, status: str, planned: Planned, at: datetime = NOON) -> None:
    """Have a job seen in a status, which is planned for the pager in this way."""
    known = await store.job(job)
    (current,) = [known] if known else await watch(store, job)
    change = move(current, status, at)
    assert not await store.record([replace(change, recipients=(planned,))])


def told(deliveries: tuple[Delivery, ...] | list[Delivery]) -> list[tuple[str, str]]:
    return [(each.event.subject.rpartition("/")[2], transition_of(each).status) for each in deliveries]


async def test_what_waits_under_one_key_is_claimed_together_however_little_fits(store: SqlStore) -> None:
    for number in range(3):
        await see(store, key(number), "running", HELD)
    await see(store, key(9), "running", replace(HELD, group_key="batch two"))
    assert not await claim(store, LATER - SECOND)
    claimed = await claim(store, LATER, pager=1)
    assert told(list(claimed)) == [(f"ftjob-{number}", "running") for number in range(3)]
    assert {each.group_key for each in claimed} == {"batch one"}
    assert told(list(await claim(store, LATER, pager=1))) == [("ftjob-9", "running")]
    assert not await claim(store, LATER)


async def test_the_events_of_one_job_stand_in_one_group_in_their_order(store: SqlStore) -> None:
    await see(store, KEY, "running", HELD)
    await see(store, KEY, "succeeded", HELD, NOON + SECOND)
    assert told(list(await claim(store, LATER, pager=1))) == [("ftjob-1", "running"), ("ftjob-1", "succeeded")]


async def test_what_cannot_go_out_yet_is_not_overtaken_by_its_group(store: SqlStore) -> None:
    await see(store, KEY, "queued", Planned("pager"))
    await settle(store, await claim(store, NOON), FAILED, LATER + MINUTE)
    await see(store, KEY, "running", HELD, NOON + SECOND)
    await see(store, key(2), "running", HELD)
    assert told(list(await claim(store, LATER))) == [("ftjob-2", "running")]


async def test_what_may_not_wait_takes_along_what_its_job_has_waiting(store: SqlStore) -> None:
    for job in (KEY, key(2)):
        await see(store, job, "running", HELD)
    await see(store, KEY, "failed", AT_ONCE, NOON + SECOND)
    first = await claim(store, NOON + SECOND)
    assert told(list(first)) == [("ftjob-1", "running")]
    await settle(store, first, Delivered(), NOON + SECOND)
    second = await claim(store, NOON + 2 * SECOND)
    assert told(list(second)) == [("ftjob-1", "failed")]
    await settle(store, second, Delivered(), NOON + 2 * SECOND)
    assert told(list(await claim(store, LATER))) == [("ftjob-2", "running")]


async def test_a_condition_that_may_not_wait_takes_along_what_it_has_waiting(store: SqlStore) -> None:
    bad = Condition("source openai", "unreachable", "watcher.source.unreachable", "down", False, (), {})
    good = replace(bad, state="reachable", type="watcher.source.recovered", is_good=True)
    await store.record_findings([Finding(bad, NOON, (HELD,))], "w")
    await store.record_findings([Finding(good, NOON + SECOND, (AT_ONCE,))], "w")
    assert [each.event.type for each in await claim(store, NOON + SECOND)] == ["watcher.source.unreachable"]


async def test_a_group_is_bounded(store: SqlStore) -> None:
    jobs = await watch(store, *(key(number) for number in range(MOST_GROUPED + 2)))
    await store.record([replace(move(job, "running"), recipients=(HELD,)) for job in jobs])
    assert len(await claim(store, LATER, pager=1)) == MOST_GROUPED + 1
    assert len(await claim(store, LATER, pager=1)) == 1


async def test_replicas_share_no_group(store: SqlStore, url: str) -> None:
    for number in range(5):
        await see(store, key(number), "running", HELD)
    async with SqlStore(url) as other:
        both = [await each.claim({"pager": 1}, LATER, LATER + MINUTE) for each in (store, other)]
    assert sorted(len(each) for each in both) == [0, 5]


async def test_what_is_held_fails_only_after_its_time(store: SqlStore) -> None:
    await see(store, KEY, "running", replace(HELD, hold_until=NOON + timedelta(hours=71)))
    (claimed,) = await claim(store, NOON + timedelta(hours=71))
    assert claimed.give_up_at == NOON + timedelta(hours=71 + 72)
    assert (await the_job(store)).status == "running"


async def test_nothing_is_late_that_has_to_wait(store: SqlStore) -> None:
    await see(store, KEY, "running", HELD)
    owed = (await store.pending_deliveries())["pager"]
    assert (owed.count, owed.oldest) == (1, LATER)
    await see(store, key(2), "running", Planned("pager"))
    assert (await store.pending_deliveries())["pager"].oldest == NOON
