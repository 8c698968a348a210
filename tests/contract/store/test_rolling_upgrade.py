"""Programs of two revisions on one database: the older one works on, and the newer one does not mind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

import pytest

from tests.contract.store.older_program import OlderProgram
from tests.contract.store.revisions import LATER, make_newer, make_older, revision_of, run
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
    move,
    settle,
    the_job,
    watch,
)
from tests.doubles import planned, transition_of
from tests.recorded import history
from watcher.domain.conditions import OWN_SOURCE, Condition, ConditionChange
from watcher.domain.deliveries import Delivered, DeliveryState
from watcher.domain.jobs import Basis, Forecast, JobSpec
from watcher.domain.states import JobState
from watcher.domain.transitions import Reason, event_id
from watcher.engine.ports import Finding
from watcher.errors import StoreUnusableError
from watcher.store import migrations
from watcher.store.database import connect
from watcher.store.schema import HEAD, REVISIONS
from watcher.store.sql import SqlStore


@pytest.fixture(params=["0001", "0002"], ids=["of 0001", "of 0002"])
def older(request: pytest.FixtureRequest, new_url: str) -> Iterator[OlderProgram]:
    """A program of before, on a database that it has made."""
    make_older(new_url, request.param)
    with closing(connect(new_url)) as database:
        yield OlderProgram(database, request.param)


async def test_a_program_of_before_works_on_while_and_after_the_database_is_migrated(
    new_url: str, older: OlderProgram
) -> None:
    older.lives(1)
    async with SqlStore(new_url) as store:
        assert revision_of(new_url) == (HEAD, "0001")
        older.lives(2)
        assert [(job.key, job.status, job.seq) for job in await store.jobs()] == [
            (key(number), "running", number) for number in (1, 2)
        ]
        assert [each.state for each in await store.deliveries()] == [DeliveryState.DELIVERED] * 2


async def test_all_that_a_program_of_before_has_recorded_is_there_after_the_migration(
    new_url: str, older: OlderProgram
) -> None:
    older.lives(1)
    older.lives(2)
    older.moves("ftjob-2", "succeeded", seen=2)
    older.does("add", source="openai", id="ftjob-3")
    older.does("add", source="openai", id="ftjob-4")
    older.does("remove", source="openai", id="ftjob-4")
    if older.has_forecasts:
        older.does("forecast", source="openai", id="ftjob-1")
    async with SqlStore(new_url) as store:
        jobs = {job.key.id: job for job in await store.jobs(include_removed=True)}
        assert {name: (job.status, job.state, job.seq) for name, job in jobs.items()} == {
            "ftjob-1": ("running", JobState.RUNNING, 1),
            "ftjob-2": ("succeeded", JobState.SUCCEEDED, 3),
            "ftjob-3": (None, None, 0),
            "ftjob-4": (None, None, 0),
        }
        assert (jobs["ftjob-1"].forecast is not None) == older.has_forecasts
        assert [(each.status, each.facts.model) for each in await history(store, key(2))] == [
            ("running", "gpt-4o-mini"),
            ("succeeded", "gpt-4o-mini"),
        ]
        assert [(each.id, each.state) for each in await store.deliveries()] == [
            (3, DeliveryState.PENDING),
            (2, DeliveryState.DELIVERED),
            (1, DeliveryState.DELIVERED),
        ]
        await settle(store, await claim(store, NOON), DELIVERED)
        assert keys(await claim_jobs(store)) == [key(3)]
        assert not await store.record([move(jobs["ftjob-1"], "succeeded", NOON + MINUTE, ["pager"])])
        assert [each.id for each in await claim(store)] == [4]


async def test_two_programs_side_by_side_move_and_tell_of_the_same_jobs(new_url: str, older: OlderProgram) -> None:
    """Each takes what the other leaves, and sees what the other has seen; all is told once, and in order."""
    async with SqlStore(new_url) as store:
        older.does("add", source="openai", id="ftjob-1")
        await store.upsert_jobs([JobSpec(key(2))], NOON)
        assert older.takes() == ["ftjob-1", "ftjob-2"]
        assert await claim_jobs(store) == ()
        older.moves("ftjob-1", "queued", seen=0)
        assert not await store.record([move(await the_job(store, key(2)), "queued", NOON, ["pager"])])

        first = await the_job(store, key(1))
        assert (first.status, first.state, first.is_since_exact) == ("queued", JobState.QUEUED, True)
        assert not await store.record([move(first, "running", NOON + SECOND, ["pager"])])
        second = await the_job(store, key(2))
        assert older.moves("ftjob-2", "succeeded", seen=second.seq, now=NOON + SECOND) == second.seq + 1
        assert await store.record([move(second, "failed", NOON + SECOND, ["pager"])]) == {key(2)}
        assert older.moves("ftjob-1", "running", seen=first.seq) is None
        after = await the_job(store, key(2))
        assert (after.status, after.state) == ("succeeded", JobState.SUCCEEDED)

        told = []
        for minutes in range(2, 8, 2):
            now = NOON + minutes * MINUTE
            by_older = older.claims(now)
            by_this = await claim(store, now)
            assert not (by_older and by_this)
            told += [(row[1], row[2]) for row in by_older]
            older.settles(by_older, now)
            by_this = await claim(store, now + MINUTE)
            told += [(each.event.subject.partition("/")[2], transition_of(each).status) for each in by_this]
            await settle(store, by_this, DELIVERED, now + MINUTE)
        assert sorted(told) == [
            ("ftjob-1", "queued"),
            ("ftjob-1", "running"),
            ("ftjob-2", "queued"),
            ("ftjob-2", "succeeded"),
        ]
        for job_id in ("ftjob-1", "ftjob-2"):
            assert next(status for name, status in told if name == job_id) == "queued"


async def test_a_program_of_before_leaves_alone_what_it_cannot_tell_of(new_url: str, older: OlderProgram) -> None:
    """It may claim the delivery of a condition; that is sent when the claim has expired."""
    condition = Condition("source/openai/reach", "unreachable", "watcher.source.unreachable", "gone", is_good=False)
    async with SqlStore(new_url) as store:
        await store.record_findings([Finding(condition, NOON, planned("pager"))], "w1")
        older.does("add", source="openai", id="ftjob-1")
        older.moves("ftjob-1", "running", seen=0)
        claimed = older.claims()
        assert [row[1] for row in claimed] == ["ftjob-1"]
        older.settles(claimed)
        older.prunes(NOON + 1000 * MINUTE)
        assert await claim(store, NOON + SECOND) == ()
        [delivery] = await claim(store, NOON + MINUTE)
        assert delivery.event.type == "watcher.source.unreachable"


async def test_conditions_that_a_program_of_before_keeps_as_jobs_become_conditions(
    new_url: str, older: OlderProgram
) -> None:
    subject = "source/openai/reach"
    older.does("add", source=OWN_SOURCE, id=subject)
    older.moves(subject, "unreachable", seen=0, source=OWN_SOURCE)
    async with SqlStore(new_url) as store:
        assert (await store.conditions([subject]))[subject].state == "unreachable"
        assert await store.jobs(include_removed=True) == []
        [delivery] = await claim(store)
        assert isinstance(delivery.event, ConditionChange)
        assert (delivery.event.title, delivery.event.id) == ("openai is unreachable", event_id(OWN_SOURCE, subject, 1))
        await settle(store, [delivery], DELIVERED)

        older.does("add", source=OWN_SOURCE, id=subject)  # it goes on, and no longer finds its row
        older.moves(subject, "recovered", seen=0, seq=2, source=OWN_SOURCE)
        await store.prune(NOON)
        assert (await store.conditions([subject]))[subject].state == "recovered"
        assert [each.event.id for each in await claim(store)] == [event_id(OWN_SOURCE, subject, 2)]


async def test_a_program_of_before_prunes_what_this_one_has_ended(new_url: str, older: OlderProgram) -> None:
    async with SqlStore(new_url) as store:
        (job,) = await watch(store, KEY)
        assert not await store.record([move(job, "succeeded", NOON, ["pager"])])
        await settle(store, await claim(store), Delivered(receipt="1"))
        older.prunes(NOON + 1000 * MINUTE)
        assert await store.deliveries() == []
        assert await history(store, KEY) == []
        assert await store.prune(NOON + 1000 * MINUTE) == 2


async def test_what_a_program_of_before_moves_loses_the_forecast_of_its_former_status(
    new_url: str, older: OlderProgram
) -> None:
    async with SqlStore(new_url) as store:
        (job,) = await watch(store, KEY, now=NOON - MINUTE)
        change = move(job, "queued", NOON - MINUTE)
        forecast = Forecast(NOON + MINUTE, Basis.HISTORY, NOON - SECOND)
        await store.record([replace(change, job=change.job._replace(forecast=forecast))])
        assert (await the_job(store)).forecast == forecast
        older.does("move", source="openai", id=KEY.id, status="running", seq=change.job.seq + 1, seen=change.job.seq)
        after = await the_job(store)
        assert (after.status, after.forecast) == ("running", None)


async def test_a_newer_database_that_says_so_is_opened_and_not_changed(new_url: str) -> None:
    async with SqlStore(new_url):
        pass
    make_newer(new_url)
    async with SqlStore(new_url) as store:
        await store.upsert_jobs([JobSpec(KEY)], NOON)
    assert revision_of(new_url) == (LATER, HEAD)


@pytest.mark.parametrize("oldest_reader", [LATER, "0098"])
async def test_a_newer_database_that_needs_a_newer_program_is_refused(new_url: str, oldest_reader: str) -> None:
    async with SqlStore(new_url):
        pass
    make_newer(new_url, oldest_reader)
    with pytest.raises(StoreUnusableError, match=f"newer version of finetune-watcher .its schema is {LATER}, this"):
        await SqlStore(new_url).__aenter__()


async def test_a_newer_database_of_before_there_was_such_a_word_is_refused(new_url: str) -> None:
    make_older(new_url, "0001")
    run(new_url, f"UPDATE watcher_version SET version_num = '{LATER}'")
    with pytest.raises(StoreUnusableError, match="newer version of finetune-watcher"):
        await SqlStore(new_url).__aenter__()


async def test_both_work_on_what_a_newer_program_brings(new_url: str) -> None:
    """It fills its columns and its table, and knows reasons that this program does not."""
    async with SqlStore(new_url):
        pass
    make_newer(new_url)
    async with SqlStore(new_url) as store:
        await store.upsert_jobs([JobSpec(key(1))], NOON)
        run(
            new_url,
            "INSERT INTO job (source, job_id, colour, labels, seq, added_at, due_at, failures, missing)"
            " VALUES ('openai', :id, 'red', '{}', 0, :now, :now, 0, 0)",
            "INSERT INTO note SELECT id, 'from a newer program' FROM job",
            id="ftjob-2",
            now=NOON,
        )
        assert [job.key for job in await claim_jobs(store)] == [key(1), key(2)]
        changes = [move(job, "running", NOON, ["pager"]) for job in await store.jobs()]
        assert not await store.record(changes)
        run(new_url, "UPDATE transition SET reason = 'foreseen', colour = 'red' WHERE seq > 0")
        claimed = await claim(store)
        assert {transition_of(each).reason for each in claimed} == {Reason.UNRECOGNISED}
        await settle(store, claimed, DELIVERED)
        assert run(new_url, "SELECT count(*) FROM job JOIN note ON note.job = job.id") == [(2,)]
        assert [row[0] for row in run(new_url, "SELECT colour FROM job ORDER BY job_id")] == [None, "red"]


def test_every_revision_names_the_oldest_program_that_can_work_with_it() -> None:
    modules = [import_module(f"watcher.store.migrations.versions.{name}") for name in _names_of_revisions()]
    for module in modules[1:]:
        assert module.oldest_reader in REVISIONS
        assert module.oldest_reader <= module.revision


async def test_the_database_says_what_its_revision_names(new_url: str) -> None:
    async with SqlStore(new_url):
        pass
    newest = import_module(f"watcher.store.migrations.versions.{_names_of_revisions()[-1]}")
    assert revision_of(new_url) == (newest.revision, newest.oldest_reader)


def _names_of_revisions() -> list[str]:
    (place,) = migrations.__path__
    return sorted(module.name for module in iter_modules([f"{place}/versions"]))
