"""Recording what polls learned, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from tests.contract.store.open_store import OpenStore
from tests.contract.store.scenes import (
    KEY,
    MINUTE,
    NOON,
    SECOND,
    key,
    move,
    owe,
    the_job,
    watch,
)
from tests.doubles import planned, transition_of
from tests.recorded import history
from watcher.domain.deliveries import Delivery, DeliveryState
from watcher.domain.jobs import Basis, Forecast, Job, JobError, JobFacts, JobKey, JobSpec
from watcher.domain.transitions import event_id
from watcher.engine.ports import Change

FACTS = JobFacts(
    model="gpt-4o-mini-2024-07-18",
    fine_tuned_model="ft:gpt-4o-mini:my-org::AbC",
    created_at=NOON - timedelta(hours=1),
    finished_at=NOON,
    estimated_finish=NOON + timedelta(minutes=3),
    trained_tokens=2**40,
    error=JobError("code", "nul \0, half \ud83d, größer", None),
    suffix="my-suffix",
    page_url="https://service.example/jobs/1",
    more=(("Requests", "97 of 100"), ("Error file", "file-1")),
)
DOCUMENT = '{"id": "ftjob-1", "seed":7,\n "text": "\\u0000 \\ud83d größer \U0001f600", "big": 1e999}'


async def test_a_transition_comes_back_as_it_was(store: OpenStore) -> None:
    await store.upsert_jobs([JobSpec(KEY, "bot", {"team": "nlp"})], NOON)
    first = move(await the_job(store), "validating_files", NOON)
    last = move(first.job, "succeeded", NOON + MINUTE, facts=FACTS, document=DOCUMENT)
    assert await store.record([first]) == set()
    assert await store.record([last]) == set()
    assert last.transition
    told = replace(last.transition, happened_at=FACTS.finished_at)  # which the job object tells
    assert await history(store, KEY) == [first.transition, told]
    assert last.transition is not None
    assert last.transition.skipped == ("queued", "running")
    assert await the_job(store) == last.job


async def test_a_transition_is_stored_with_the_id_that_receivers_get(store: OpenStore) -> None:
    await owe(store, ["running"])
    (transition,) = await history(store, KEY)
    assert await store.statement("SELECT event_id FROM transition") == [(event_id(KEY.source, KEY.id, transition.seq),)]


async def test_what_is_owed_is_committed_with_the_transition(store: OpenStore) -> None:
    (job,) = await watch(store, KEY)
    change = move(job, "running", recipients=["pager", "chat"])
    assert change.transition is not None
    await store.record([change])
    pager = Delivery(
        id=1,
        notifier="pager",
        event=change.transition,
        state=DeliveryState.PENDING,
        attempts=0,
        next_at=NOON,
        give_up_at=NOON + timedelta(hours=72),
    )
    assert await store.deliveries() == [replace(pager, id=2, notifier="chat"), pager]


async def test_a_change_without_a_transition_writes_only_the_jobs_state(store: OpenStore) -> None:
    await store.upsert_jobs([JobSpec(KEY, "bot", {"team": "nlp"})], NOON)
    job = await the_job(store)
    after_failure = job._replace(failures=2, missing=1, last_error="no answer within 15 s", due_at=NOON + MINUTE)
    await store.record([Change(job.seq, after_failure._replace(name="other", labels={}))])
    assert await the_job(store) == after_failure
    await store.record([Change(job.seq, job._replace(due_at=None))])
    assert await the_job(store) == job._replace(due_at=None)
    assert await history(store, KEY) == []


async def test_errors_are_stored_fit_to_be_shown(store: OpenStore) -> None:
    (job,) = await watch(store, KEY)
    await store.record([Change(job.seq, job._replace(last_error="nul \0 half \ud83d esc \x1b[2J"))])
    assert (await the_job(store)).last_error == r"nul \x00 half \ud83d esc \x1b[2J"


async def test_whoever_comes_too_late_is_dropped_and_named(store: OpenStore) -> None:
    one, two, three = await watch(store, key(1), key(2), key(3))
    await store.record([move(two, "queued", NOON)])
    before = await store.jobs()
    late = [move(job, "running", NOON + SECOND, ["pager"]) for job in (one, two, three)]
    assert await store.record(late) == {key(2)}
    assert await store.jobs() == [late[0].job, before[1], late[2].job]
    assert [each.status for each in await history(store, key(2))] == ["queued"]
    assert {transition_of(each).key for each in await store.deliveries()} == {key(1), key(3)}


async def test_what_comes_too_late_without_a_transition_is_dropped_silently(store: OpenStore) -> None:
    (job,) = await watch(store, KEY)
    await owe(store, ["running"])
    before = await the_job(store)
    assert await store.record([Change(job.seq, job._replace(failures=1, last_error="503"))]) == set()
    assert await the_job(store) == before


async def test_a_job_may_move_several_times_in_one_commit(store: OpenStore) -> None:
    job, other = await watch(store, key(1), key(2))
    first = move(job, "queued", NOON)
    last = move(first.job, "running", NOON + SECOND)
    after = Change(last.job.seq, last.job._replace(failures=1, last_error="503"))
    assert await store.record([first, move(other, "queued"), last, after]) == set()
    assert await history(store, job.key) == [first.transition, last.transition]
    assert await the_job(store, job.key) == after.job


async def test_what_follows_on_a_late_change_is_dropped_even_if_its_number_fits(store: OpenStore) -> None:
    job, other = await watch(store, key(1), key(2))
    # Two watchers see the same transition in the same second: both give it the same number.
    await store.record([move(job, "queued", NOON)])
    before = await the_job(store, job.key)
    mine = move(job, "running", NOON)
    following = move(mine.job, "succeeded", NOON + SECOND, ["pager"])
    complaint = Change(mine.job.seq, mine.job._replace(failures=7))
    assert before.seq == mine.job.seq
    assert await store.record([mine, move(other, "queued"), following, complaint]) == {job.key}
    assert await the_job(store, job.key) == before
    assert [each.status for each in await history(store, job.key)] == ["queued"]
    assert [each.status for each in await history(store, other.key)] == ["queued"]


@pytest.mark.parametrize("with_transition", [False, True])
@pytest.mark.parametrize("job_id", ["removed", "unknown"])
async def test_changes_of_jobs_that_are_not_watched_are_dropped(
    store: OpenStore, *, job_id: str, with_transition: bool
) -> None:
    job = Job(JobKey("openai", job_id), due_at=NOON)
    await watch(store, JobKey("openai", "removed"))
    await store.remove_job(JobKey("openai", "removed"), NOON)
    before = await store.jobs(include_removed=True)
    change = move(job, "running", recipients=["pager"]) if with_transition else Change(0, job._replace(failures=1))
    assert await store.record([change]) == ({job.key} if with_transition else set())
    assert await store.jobs(include_removed=True) == before
    assert await store.count_rows("transition") == await store.count_rows("delivery") == 0


async def test_two_watchers_that_see_the_same_record_it_once(url: str, store: OpenStore) -> None:
    """Neither came too late: what follows on what both saw is a transition, for either of them."""
    jobs = await watch(store, *map(key, range(40)))
    async with OpenStore(url) as other:
        for number, status in enumerate(["queued", "running", "succeeded"]):
            changes = [move(job, status, NOON + number * SECOND, ["pager"]) for job in jobs]
            batches = (changes, changes[::-1])
            late = await asyncio.gather(
                *(each.record(batch) for each, batch in zip((store, other), batches, strict=True))
            )
            assert late == [set(), set()]
            jobs = [change.job for change in changes]
    assert await store.jobs() == sorted(jobs, key=lambda job: job.key)
    assert await store.count_rows("transition") == await store.count_rows("delivery") == 120


async def test_one_of_two_watchers_that_see_different_things_wins(url: str, store: OpenStore) -> None:
    jobs = await watch(store, *map(key, range(40)))
    async with OpenStore(url) as other:
        batches = [
            [move(job, status, NOON, ["pager"]) for job in order]
            for status, order in (("running", jobs), ("failed", jobs[::-1]))
        ]
        late = await asyncio.gather(*(each.record(batch) for each, batch in zip((store, other), batches, strict=True)))
    assert sorted([*late[0], *late[1]]) == sorted(map(key, range(40)))
    assert await store.count_rows("transition") == await store.count_rows("delivery") == 40


async def test_what_follows_on_a_commit_whose_answer_was_lost_is_recorded(store: OpenStore) -> None:
    (job,) = await watch(store, key(1))
    first = move(job, "running", NOON, ["pager"])
    await store.record([first])
    then = move(first.job, "succeeded", NOON + SECOND, ["pager"])
    assert await store.record([first, then]) == set()
    assert [each.status for each in await history(store, key(1))] == ["running", "succeeded"]
    assert await store.count_rows("delivery") == 2


@pytest.mark.parametrize(("spoilt", "error"), [("owed twice", IntegrityError), ("no time zone", ValueError)])
async def test_a_change_that_cannot_be_written_takes_the_whole_commit_back(
    store: OpenStore, spoilt: str, error: type[Exception]
) -> None:
    """It is no fault of the database: the caller learns the difference, and can leave the one out."""
    one, two = await watch(store, key(1), key(2))
    good, bad = move(one, "running", recipients=["pager"]), move(two, "running", recipients=["pager"])
    if spoilt == "owed twice":
        bad = replace(bad, recipients=planned("pager", "pager"))
    else:
        bad = replace(bad, job=bad.job._replace(due_at=datetime(2026, 11, 24, 12)))  # noqa: DTZ001 - that is the fault
    with pytest.raises(error):
        await store.record([good, bad])
    assert await store.jobs() == [one, two]
    assert await store.count_rows("transition") == await store.count_rows("delivery") == 0
    assert await store.record([good]) == set()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE transition SET job = 99 WHERE seq = (SELECT max(seq) FROM transition)",
        "UPDATE delivery SET seq = 99",
        "UPDATE delivery SET notifier = 'pager', seq = (SELECT max(seq) FROM transition)",
        "DELETE FROM transition",
        "UPDATE transition SET event_id = 'the same'",
    ],
)
async def test_the_database_itself_keeps_the_record_whole(store: OpenStore, sql: str) -> None:
    """No transition without its job, no delivery without its transition, no id twice."""
    await owe(store, ["queued", "running"])
    with pytest.raises(IntegrityError):
        await store.statement(sql)


@pytest.mark.parametrize("at", [None, NOON + MINUTE])
@pytest.mark.parametrize("basis", Basis)
async def test_a_forecast_is_kept_until_the_job_moves(store: OpenStore, basis: Basis, at: datetime | None) -> None:
    await owe(store, ["running"])
    seen = await the_job(store)
    after = seen._replace(forecast=Forecast(at, basis, NOON + SECOND))
    await store.record([Change(seen.seq, after)])
    assert await the_job(store) == after
    await store.record([move(after, "succeeded", NOON + MINUTE)])
    assert (await the_job(store)).forecast is None


@pytest.mark.parametrize("spoilt", ["of before the status", "of an unknown basis"])
async def test_a_forecast_that_an_older_or_newer_watcher_left_behind_is_none(store: OpenStore, spoilt: str) -> None:
    await owe(store, ["running"])
    seen = await the_job(store)
    made_at = NOON - SECOND if spoilt == "of before the status" else NOON
    await store.record([Change(seen.seq, seen._replace(forecast=Forecast(NOON, Basis.HISTORY, made_at)))])
    if spoilt == "of an unknown basis":
        await store.statement("UPDATE job SET forecast_basis = 'stars'")
    assert await the_job(store) == seen


async def test_the_record_outlives_the_process(url: str) -> None:
    async with OpenStore(url) as store:
        await owe(store, ["queued", "running"])
        before = (await store.jobs(), await history(store, KEY), await store.deliveries())
    async with OpenStore(url) as store:
        assert (await store.jobs(), await history(store, KEY), await store.deliveries()) == before
