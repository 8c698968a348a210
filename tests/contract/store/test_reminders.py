"""Conditions that last: told again once among any number of watchers, and elsewhere only once. On both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from tests.contract.store.open_store import OpenStore
from tests.contract.store.scenes import DELIVERED, MINUTE, NOON, claim, settle
from tests.contract.store.test_conditions import RECOVERED, SUBJECT, UNREACHABLE, found
from watcher.domain.notifications import Planned
from watcher.domain.reminders import Reminder, Standing, reminders
from watcher.domain.routing import Route
from watcher.engine.ports import Finding
from watcher.store.sql import SqlStore

HOUR = timedelta(hours=1)
LATER = NOON + HOUR
NAGGED = Route("pager", repeat=HOUR)


async def standing_of(store: SqlStore) -> Standing:
    """Return the one condition that stands."""
    [standing] = await store.standing([SUBJECT])
    return standing


async def due(store: SqlStore, route: Route = NAGGED) -> Reminder:
    """Return what is to be told again an hour later."""
    [found] = reminders(await standing_of(store), UNREACHABLE, [route], LATER)
    return found


async def test_what_is_raised_stands_with_whom_it_was_told_to_until_it_clears(store: OpenStore) -> None:
    [raised] = await store.record_findings([found(UNREACHABLE, 0, "pager")], "w1")
    expected = Standing(UNREACHABLE, raised.seq, raised.at, 0, {"pager": raised.at}, frozenset({"pager"}))
    assert await store.standing([SUBJECT]) == [expected]
    await settle(store, await claim(store), DELIVERED)
    assert (await standing_of(store)).waiting == frozenset()
    await store.record_findings([found(RECOVERED, 60, "pager")], "w1")
    assert await store.standing([SUBJECT]) == []
    assert await store.count_rows("condition_telling") == 0


async def test_of_many_watchers_one_tells_it_again(store: OpenStore, url: str) -> None:
    await store.record_findings([found(UNREACHABLE, 0, "pager")], "w1")
    await settle(store, await claim(store), DELIVERED)
    async with OpenStore(url) as other:
        told_again = await due(store)
        recorded = await asyncio.gather(*(each.record_reminders([told_again]) for each in (store, other, store)))
        assert await store.record_reminders([told_again]) == []
    [[event]] = [events for events in recorded if events]
    assert (event.reminder, event.since, event.at) == (1, NOON, LATER)
    [again] = await claim(store, LATER + MINUTE)
    assert again.event == event
    assert (await standing_of(store)).reminders == 1


async def test_of_its_end_hears_who_has_heard_of_it(store: OpenStore) -> None:
    late = (Planned("pager"), Planned("boss", if_told=True))
    await store.record_findings([Finding(UNREACHABLE, NOON, late)], "w1")
    assert [each.notifier for each in await store.deliveries()] == ["pager"]
    await store.record_reminders([await due(store, Route("boss", after=HOUR))])
    await store.record_findings([Finding(RECOVERED, LATER + HOUR, late)], "w1")
    assert [each.notifier for each in reversed(await store.deliveries())] == ["pager", "boss", "pager", "boss"]
    await store.record_findings([Finding(UNREACHABLE, LATER + 2 * HOUR, late)], "w1")
    assert len(await store.deliveries()) == 5


async def test_what_stands_is_not_pruned_and_is_told_again_after_months(store: OpenStore) -> None:
    await store.record_findings([found(UNREACHABLE, 0, "pager"), found(UNREACHABLE, 0)], "w1")
    await settle(store, await claim(store), DELIVERED)
    await store.prune(NOON + timedelta(days=90))
    assert await store.deliveries() == []
    assert await store.record_reminders([await due(store)])
    await store.record_findings([replace(found(RECOVERED), at=LATER + HOUR)], "w1")
    await store.prune(NOON + timedelta(days=90))
    assert await store.count_rows("condition_event") == 1  # that of the reminder, which is still owed
