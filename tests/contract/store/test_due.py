"""Taking due jobs, on both databases."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import timedelta

import pytest

from tests.contract.store.open_store import OpenStore
from tests.contract.store.scenes import KEY, MINUTE, NOON, SECOND, claim_jobs, key, keys, move, the_job, watch
from watcher.domain.jobs import Job, JobFacts
from watcher.engine.ports import ClaimRequest
from watcher.store import due
from watcher.store.database import connect


def youngest_id(job: Job) -> float:
    return float(job.key.id.removeprefix("ftjob-"))


async def test_the_longest_due_are_taken_first_up_to_the_capacity(store: OpenStore) -> None:
    for number in (3, 1, 4, 2):
        await watch(store, key(number), now=NOON - number * MINUTE)
    assert keys(await claim_jobs(store, 3)) == [key(4), key(3), key(2)]
    assert keys(await claim_jobs(store, 3)) == [key(1)]


async def test_taking_moves_the_next_poll(store: OpenStore) -> None:
    before = await watch(store, key(1), key(2))
    assert list(await claim_jobs(store)) == [job._replace(due_at=NOON + MINUTE) for job in before]
    assert await store.jobs() == [job._replace(due_at=NOON + MINUTE) for job in before]
    assert await claim_jobs(store) == ()
    assert len(await claim_jobs(store, now=NOON + MINUTE)) == 2


async def test_a_job_that_is_taken_again_says_what_it_said_in_the_same_words(store: OpenStore) -> None:
    """Most looks find nothing new: what a job said is not read again as long as the job is held."""
    (new,) = await watch(store, KEY)
    seen = move(new, "running", facts=JobFacts(model="base"))
    assert not await store.record([seen])
    taken = [(await claim_jobs(store, now=NOON + number * MINUTE))[0] for number in (1, 2)]
    assert taken[1].facts is taken[0].facts
    assert not await store.record([move(taken[1], "succeeded", NOON + 3 * MINUTE, facts=JobFacts(model="better"))])
    assert (await the_job(store)).facts == JobFacts(model="better")


async def test_a_job_is_not_due_before_its_time(store: OpenStore) -> None:
    await watch(store, KEY, now=NOON + SECOND)
    assert await claim_jobs(store) == ()


async def test_each_source_has_a_capacity_of_its_own(store: OpenStore) -> None:
    await watch(store, *(key(number, source) for number in range(3) for source in ("openai", "azure", "idle")))
    limit = {"openai": 1, "azure": 2, "idle": 0, "unknown": 5}
    taken = await store.claim_due(
        {source: ClaimRequest(places, NOON + MINUTE) for source, places in limit.items()}, NOON
    )
    assert sorted(job.key.source for job in taken) == ["azure", "azure", "openai"]


async def test_two_watchers_never_take_the_same_job(url: str, store: OpenStore) -> None:
    await watch(store, *map(key, range(60)))
    async with OpenStore(url) as other:
        taken = await asyncio.gather(*(claim_jobs(each, 7) for _ in range(10) for each in (store, other)))
    everything = [job.key for jobs in taken for job in jobs]
    assert sorted(everything) == sorted(map(key, range(60)))


async def test_what_falls_due_soon_is_taken_along(store: OpenStore) -> None:
    for number in range(4):
        await watch(store, key(number), now=NOON + number * SECOND)
    assert keys(await claim_jobs(store, ahead=2 * SECOND)) == [key(0), key(1), key(2)]
    assert keys(await store.jobs()) == [key(number) for number in range(4)]
    assert [job.due_at for job in await store.jobs()] == [*3 * [NOON + MINUTE], NOON + 3 * SECOND]


async def test_nothing_is_taken_along_when_nothing_is_due(store: OpenStore) -> None:
    await watch(store, key(1), now=NOON + SECOND)
    await watch(store, key(2, "azure"), now=NOON)
    assert await claim_jobs(store, ahead=MINUTE) == ()
    assert (await the_job(store)).due_at == NOON + SECOND


async def test_what_is_taken_along_must_find_room(store: OpenStore) -> None:
    for number in range(4):
        await watch(store, key(number), now=NOON + number * SECOND)
    assert keys(await claim_jobs(store, 2, ahead=MINUTE)) == [key(0), key(1)]


@pytest.mark.parametrize("ahead", [timedelta(), SECOND])
async def test_the_most_urgent_are_taken_first_and_the_others_left(store: OpenStore, ahead: timedelta) -> None:
    before = await watch(store, *map(key, (3, 1, 4, 2)))
    taken = await claim_jobs(store, 3, ahead=ahead, urgency=youngest_id)
    assert list(taken) == [before[index]._replace(due_at=NOON + MINUTE) for index in (2, 0, 3)]
    assert (await the_job(store, key(1))).due_at == NOON
    assert keys(await claim_jobs(store, 3, ahead=ahead, urgency=youngest_id)) == [key(1)]


async def test_urgency_orders_also_what_there_is_room_for(store: OpenStore) -> None:
    await watch(store, *map(key, (3, 1, 4, 2)))
    await watch(store, key(9), now=NOON + SECOND)
    assert keys(await claim_jobs(store, urgency=youngest_id)) == [key(4), key(3), key(2), key(1)]
    assert await claim_jobs(store, urgency=youngest_id) == ()


async def test_urgency_is_asked_of_a_bounded_number_the_longest_due(url: str, store: OpenStore) -> None:
    for number in range(6):
        await watch(store, key(number), now=NOON - (9 - number) * MINUTE)
    wanted = {"openai": ClaimRequest(2, NOON + MINUTE, urgency=youngest_id)}
    with closing(connect(url)) as database, database.writing() as connection:
        taken = due.claim_due(connection, due.find_due(connection, wanted, NOON, ranked=3))
    assert keys(taken) == [key(2), key(1)]


@pytest.mark.parametrize("urgency", [None, youngest_id])
async def test_two_watchers_share_the_work_by_urgency_too(url: str, store: OpenStore, urgency: object) -> None:
    await watch(store, *map(key, range(60)))
    taken: list[Job] = []
    async with OpenStore(url) as other:
        while got := await asyncio.gather(
            *(claim_jobs(each, 7, ahead=SECOND, urgency=urgency) for each in (store, other))
        ):
            if not any(got):
                break
            taken += [job for jobs in got for job in jobs]
    assert sorted(keys(taken)) == sorted(map(key, range(60)))


async def test_another_watchers_choice_is_not_taken_from_it(url: str, store: OpenStore) -> None:
    """What was found to be due may be claimed by another watcher first."""
    await watch(store, *map(key, range(4)))

    def too_late(job: Job) -> float:
        other_takes.set()
        return youngest_id(job)

    other_takes = asyncio.Event()
    found = await store.read(due.find_due, {"openai": ClaimRequest(2, NOON + MINUTE, urgency=too_late)}, NOON)
    assert other_takes.is_set()
    async with OpenStore(url) as other:
        assert keys(await claim_jobs(other, 1, urgency=youngest_id)) == [key(3)]
    assert keys(await store.write(due.claim_due, found)) == [key(2)]


async def test_a_removed_job_is_not_urgent(store: OpenStore) -> None:
    await watch(store, key(1), key(2), key(3))
    await store.remove_job(key(3), NOON)
    assert keys(await claim_jobs(store, 1, urgency=youngest_id)) == [key(2)]
