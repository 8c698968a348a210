"""Silences: what is recorded while one is in force is muted and says by which one. On both databases."""

from __future__ import annotations

from dataclasses import replace

from tests.contract.store.scenes import KEY, MINUTE, NOON, SECOND, claim, key, move, owe, watch
from watcher.domain.conditions import Condition
from watcher.domain.deliveries import DeliveryState
from watcher.domain.jobs import JobSpec
from watcher.domain.notifications import Planned
from watcher.domain.silences import Silence
from watcher.engine.ports import Finding
from watcher.store.sql import SqlStore

TEAM = Silence("new", NOON + MINUTE, {"team": "nlp"}, "openai", "new rack", created_by="ada")
MUTED = [DeliveryState.MUTED]


async def test_a_silence_mutes_what_is_recorded_from_then_on_and_is_named(store: SqlStore) -> None:
    await store.upsert_jobs([JobSpec(KEY, labels={"team": "nlp"}), JobSpec(key(2))], NOON)
    first, second = await store.jobs()
    before = move(first, "queued", NOON, ["pager"])
    await store.record([before])
    made = await store.add_silence(TEAM, NOON)
    during = move(before.job, "running", NOON + SECOND, ["pager"])
    other = move(second, "running", NOON + SECOND, ["pager"])
    await store.record([during, other])
    after = move(during.job, "failed", NOON + MINUTE, ["pager"])
    await store.record([after])
    found = await store.deliveries()
    assert {each.event.id: each.state.value for each in found} == {
        before.transition and before.transition.id: "pending",
        during.transition and during.transition.id: "muted",
        other.transition and other.transition.id: "pending",
        after.transition and after.transition.id: "pending",
    }
    (muted,) = await store.deliveries(states=MUTED)
    assert (muted.reason, muted.settled_at) == (f"silence {made.name}: new rack", NOON + SECOND)
    assert len(await claim(store, NOON + MINUTE)) == 2


async def test_a_silence_of_a_source_mutes_what_is_said_of_it(store: SqlStore) -> None:
    await store.add_silence(Silence("new", NOON + MINUTE, source="openai"), NOON)
    down = Condition("source/openai/reach", "down", "watcher.source.unreachable", "down", False)
    for subject, data in (("source/openai/reach", {"source": "openai"}), ("notifier/chat", {"notifier": "chat"})):
        found = replace(down, subject=subject, data=data)
        await store.record_findings([Finding(found, NOON, (Planned("pager"),))], "w")
    assert {each.event.subject: each.state.value for each in await store.deliveries()} == {
        "source/openai/reach": "muted",
        "notifier/chat": "pending",
    }


async def test_a_silence_that_is_expired_mutes_no_more_and_is_listed_until_it_is_forgotten(store: SqlStore) -> None:
    made = await store.add_silence(replace(TEAM, labels={}), NOON)
    number = int(made.name)
    assert await store.silences(ending_after=NOON) == [made]
    assert [await store.expire_silence(each, NOON) for each in (number + 1, number, number)] == [False, True, False]
    assert (await store.silences(ending_after=NOON), await store.silences()) == ([], [replace(made, until=NOON)])
    await owe(store)
    assert not await store.deliveries(states=MUTED)
    await store.prune(NOON)
    assert len(await store.silences()) == 1
    await store.prune(NOON + SECOND)
    assert not await store.silences()


async def test_the_oldest_of_several_silences_is_named(store: SqlStore) -> None:
    first, _ = [await store.add_silence(Silence("new", NOON + MINUTE), NOON) for _ in range(2)]
    (job,) = await watch(store, KEY)
    await store.record([move(job, "running", NOON, ["pager"])])
    (muted,) = await store.deliveries()
    assert muted.reason == f"silence {first.name}"
