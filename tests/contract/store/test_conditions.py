"""Conditions are recorded once per change, with what they owe, among any number of watchers. On both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.contract.store.open_store import OpenStore
from tests.contract.store.scenes import (
    DELIVERED,
    KEY,
    MINUTE,
    NOON,
    SECOND,
    TABLES,
    claim,
    key,
    keys,
    move,
    settle,
    the_job,
    watch,
)
from tests.doubles import planned
from watcher.domain.conditions import FRESH, Condition
from watcher.domain.deliveries import DeliveryState
from watcher.domain.notifications import Planned
from watcher.engine.ports import Finding

SUBJECT = "source/openai/reach"
NAME = "support\0bot \ud800 \\u0041 \u202e ü"
UNREACHABLE = Condition(
    SUBJECT,
    "unreachable",
    "watcher.source.unreachable",
    NAME,
    is_good=False,
    facts=(("Source", "openai"), ("Error", NAME)),
    data={"source": "openai", "error": NAME, "count": 3},
    labels={"team": "nlp"},
)
RECOVERED = replace(UNREACHABLE, state="recovered", type="watcher.source.recovered", is_good=True)


def found(condition: Condition = UNREACHABLE, seconds: float = 0, *notifiers: str) -> Finding:
    """Return what a watcher found so long after noon."""
    return Finding(condition, NOON + timedelta(seconds=seconds), planned(*notifiers))


async def test_what_was_never_found_is_not_recorded(store: OpenStore) -> None:
    assert await store.conditions([SUBJECT]) == {}
    assert await store.record_findings([], "w1") == []
    assert await store.record_findings([found(RECOVERED)], "w1") == []
    assert [await store.count_rows(table) for table in TABLES] == [0] * len(TABLES)


async def test_a_condition_is_raised_once_and_cleared_once(store: OpenStore) -> None:
    told = [
        event.condition.state
        for seconds, condition in enumerate([UNREACHABLE, UNREACHABLE, RECOVERED, RECOVERED, UNREACHABLE])
        for event in await store.record_findings([found(condition, seconds)], "w1")
    ]
    assert told == ["unreachable", "recovered", "unreachable"]
    assert (await store.conditions([SUBJECT, "notifier/chat"])).keys() == {SUBJECT}
    assert (await store.conditions([SUBJECT]))[SUBJECT].state == "unreachable"


async def test_changes_within_a_second_have_ids_of_their_own(store: OpenStore) -> None:
    [raised, cleared] = await store.record_findings([found(UNREACHABLE), found(RECOVERED)], "w1")
    assert cleared.seq == raised.seq + 1
    assert cleared.id != raised.id
    assert (await store.conditions([SUBJECT]))[SUBJECT].seq == cleared.seq


async def test_an_event_is_delivered_as_it_was_found_whatever_text_it_holds(store: OpenStore) -> None:
    [raised] = await store.record_findings([found(UNREACHABLE, 0, "pager")], "w1")
    [delivery] = await claim(store)
    assert delivery.event == raised
    assert raised.condition == UNREACHABLE
    await settle(store, [delivery], DELIVERED)
    [listed] = await store.deliveries()
    assert (listed.event, listed.state) == (raised, DeliveryState.DELIVERED)


async def test_the_events_of_a_condition_reach_a_notifier_in_order(store: OpenStore) -> None:
    await store.record_findings([found(UNREACHABLE, 0, "pager"), found(RECOVERED, 1, "pager")], "w1")
    other = replace(UNREACHABLE, subject="source/azure/reach")
    await store.record_findings([found(other, 2, "pager")], "w1")
    first = await claim(store)
    assert [(each.event.subject, each.event.type) for each in first] == [
        (SUBJECT, "watcher.source.unreachable"),
        ("source/azure/reach", "watcher.source.unreachable"),
    ]
    await settle(store, first, DELIVERED)
    assert [each.event.type for each in await claim(store)] == ["watcher.source.recovered"]


async def test_a_muted_event_is_recorded_and_never_due_and_a_held_one_is_due_later(store: OpenStore) -> None:
    recipients = (
        Planned("pager", DeliveryState.MUTED, reason="silence night"),
        Planned("chat", hold_until=NOON + 10 * MINUTE, reason="held back"),
    )
    await store.record_findings([Finding(UNREACHABLE, NOON, recipients)], "w1")
    assert await claim(store, NOON + 9 * MINUTE, pager=1, chat=1) == ()
    assert [each.notifier for each in await claim(store, NOON + 10 * MINUTE, pager=1, chat=1)] == ["chat"]
    states = {each.notifier: (each.state, each.reason) for each in await store.deliveries()}
    assert states == {
        "pager": (DeliveryState.MUTED, "silence night"),
        "chat": (DeliveryState.PENDING, "held back"),
    }


async def test_what_one_watcher_finds_failing_waits_while_another_has_just_found_it_well(store: OpenStore) -> None:
    await store.note_good([SUBJECT], "w2", NOON)
    await store.note_good([SUBJECT, "notifier/chat"], "w2", NOON + SECOND)
    known = await store.conditions([SUBJECT, "notifier/chat"])
    assert known.keys() == {SUBJECT, "notifier/chat"}
    assert {(each.state, each.good_at, each.good_by) for each in known.values()} == {(None, NOON + SECOND, "w2")}
    assert await store.record_findings([found(UNREACHABLE, 60)], "w1") == []
    assert len(await store.record_findings([found(UNREACHABLE, FRESH.total_seconds() + 1)], "w1")) == 1
    await store.note_good([SUBJECT], "w2", NOON + FRESH + 2 * SECOND)
    assert (await store.conditions([SUBJECT]))[SUBJECT].state == "unreachable"


async def test_two_watchers_that_find_the_same_at_once_tell_it_once(store: OpenStore, url: str) -> None:
    async with OpenStore(url) as other:
        for seconds, condition in enumerate([UNREACHABLE, RECOVERED] * 5):
            findings = [found(condition, seconds, "pager")]
            events = await asyncio.gather(store.record_findings(findings, "w1"), other.record_findings(findings, "w2"))
            assert sorted(map(len, events)) == [0, 1]
    assert await store.count_rows("condition_event") == await store.count_rows("delivery") == 10


async def test_a_restart_does_not_tell_it_again(store: OpenStore, url: str) -> None:
    await store.record_findings([found()], "w1")
    async with OpenStore(url) as reopened:
        assert await reopened.record_findings([found(UNREACHABLE, 3600)], "w3") == []
        assert len(await reopened.record_findings([found(RECOVERED, 3601)], "w3")) == 1


async def test_a_condition_that_a_poll_found_is_recorded_with_the_poll_or_not_at_all(store: OpenStore) -> None:
    (job,) = await watch(store, KEY)
    missing = replace(UNREACHABLE, subject=f"job/{KEY}/missing", state="missing", type="watcher.job.missing")
    change = replace(move(job, "running"), conditions=(found(missing, 0, "pager"),))
    assert await store.record([change]) == set()
    late = replace(missing, subject=f"job/{KEY}/other")
    assert await store.record([replace(move(job, "queued"), conditions=(found(late, 1, "pager"),))]) == {KEY}
    assert (await store.conditions([missing.subject, late.subject])).keys() == {missing.subject}
    assert [each.event.type for each in await store.deliveries()] == ["watcher.job.missing"]


async def test_a_job_that_moves_while_it_is_found_stuck_is_told_and_called_off_or_neither(
    store: OpenStore, url: str
) -> None:
    async with OpenStore(url) as other:
        for number in range(10):
            (job,) = await watch(store, key(number))
            await store.record([move(job, "queued")])
            job = await the_job(store, key(number))
            stuck = replace(UNREACHABLE, subject=f"job/{job.key}/stuck", type="watcher.job.stuck")
            over = replace(stuck, state="good", type="watcher.job.unstuck", is_good=True)
            moved = replace(move(job, "running"), conditions=(found(over, 1, "pager"),))
            found_stuck = replace(found(stuck, 0, "pager"), job=job)
            raised, late = await asyncio.gather(store.record_findings([found_stuck], "w1"), other.record([moved]))
            owed = [each.event for each in await store.deliveries(notifier="pager")]
            told = [each.type for each in owed if each.thread == str(job.key)]
            assert (late, told) == (set(), ["watcher.job.unstuck", "watcher.job.stuck"] if raised else [])
            assert await store.record_findings([found_stuck], "w1") == []


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        pytest.param("running", [key(1), key(2)], id="a status, and a state"),
        pytest.param("validating", [key(3)], id="a state that OpenAI has another word for"),
        pytest.param("validating_files", [key(3)], id="OpenAI's word"),
        pytest.param("training", [], id="no state and no status of any job"),
    ],
)
@pytest.mark.parametrize("is_described", [True, False], ids=["of this program", "of a program of before"])
async def test_jobs_that_linger_are_found_by_status_or_state_whichever_program_moved_them(
    store: OpenStore, word: str, expected: object, is_described: bool
) -> None:
    jobs = await watch(store, *(key(number) for number in range(1, 6)))
    statuses = ["running", "running", "validating_files", "succeeded", "resuming"]
    await store.record([move(job, status) for job, status in zip(jobs, statuses, strict=True)])
    if not is_described:
        await store.statement("UPDATE job SET state = NULL, described_seq = NULL")
    assert await store.lingering({word: MINUTE}, NOON + MINUTE - SECOND) == []
    assert keys(await store.lingering({word: MINUTE}, NOON + MINUTE)) == expected
    assert await store.lingering({}, NOON + MINUTE) == []
