"""Programs of two revisions on one database: the older one works on, and the newer one does not mind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

from tests.contract.store.revisions import LATER, make_newer, make_older, revision_of, run, run_on
from tests.contract.store.scenes import (
    DELIVERED,
    KEY,
    MINUTE,
    NOON,
    SECOND,
    claim,
    key,
    move,
    settle,
    take,
    the_job,
    watch,
)
from tests.doubles import transition_of
from watcher.domain.deliveries import DeliveryState
from watcher.domain.jobs import Basis, Forecast, JobSpec
from watcher.domain.transitions import Reason
from watcher.errors import StoreUnusableError
from watcher.store import migrations
from watcher.store.database import Database, connect
from watcher.store.schema import HEAD, REVISIONS
from watcher.store.sql import SqlStore

OF_0001 = {
    "add": "INSERT INTO job (source, job_id, labels, seq, added_at, due_at, failures, missing)"
    " VALUES ('openai', :id, '{}', 0, :now, :now, 0, 0)",
    "take": "UPDATE job SET due_at = :until WHERE id IN (SELECT id FROM job WHERE source = 'openai' AND due_at <= :now"
    " AND removed_at IS NULL ORDER BY due_at, id LIMIT 10)"
    " RETURNING id, source, job_id, name, labels, status, seq, status_since, due_at, failures, missing, last_error",
    "move": "UPDATE job SET status = :status, seq = :seq, status_since = :now, due_at = :until, failures = 0,"
    " missing = 0, last_error = NULL"
    " WHERE id = (SELECT id FROM job WHERE job_id = :id) AND seq = :seen AND removed_at IS NULL",
    "keep": "INSERT INTO transition (job, seq, event_id, previous_status, status, reason, skipped, observed_at,"
    " previous_since, name, labels, facts, document) VALUES ((SELECT id FROM job WHERE job_id = :id), :seq,"
    " 'evt_' || :seq, NULL, :status, 'first_seen', '[]', :now, NULL, NULL, '{}', '{}', '{}')",
    "owe": "INSERT INTO delivery (job, seq, notifier, state, attempts, next_at, give_up_at)"
    " VALUES ((SELECT id FROM job WHERE job_id = :id), :seq, 'pager', 'pending', 0, :now, :until)",
    "claim": "UPDATE delivery SET claimed_until = :until WHERE notifier = 'pager' AND state = 'pending'"
    " AND next_at <= :now AND claimed_until IS NULL RETURNING id",
    "settle": "UPDATE delivery SET state = 'delivered', attempts = attempts + 1, claimed_until = NULL,"
    " settled_at = :now WHERE state = 'pending' AND claimed_until = :until",
}
"""What a program of revision 0001 does to the tables, in its own words."""


class Older:
    """A program of revision 0001 that runs since before the migration, with a connection of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def does(self, what: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run one of its statements, at noon."""
        return run_on(self._database, OF_0001[what], now=NOON, until=NOON + MINUTE, **values)

    def lives(self, number: int) -> None:
        """Watch a job, see it run, and tell of that."""
        named: dict[str, Any] = {"id": f"ftjob-{number}", "status": "running", "seq": number, "seen": 0}
        self.does("add", **named)
        assert [row[2] for row in self.does("take")] == [named["id"]]
        for what in ("move", "keep", "owe"):
            self.does(what, **named)
        assert len(self.does("claim")) == 1
        self.does("settle")


@pytest.fixture
def older(new_url: str) -> Iterator[Older]:
    """A program of before, on a database that it has made."""
    make_older(new_url, "0001")
    with closing(connect(new_url)) as database:
        yield Older(database)


async def test_a_program_of_before_works_on_while_and_after_the_database_is_migrated(
    new_url: str, older: Older
) -> None:
    older.lives(1)
    async with SqlStore(new_url) as store:
        assert revision_of(new_url) == (HEAD, "0001")
        older.lives(2)
        assert [(job.key, job.status, job.seq) for job in await store.jobs()] == [
            (key(number), "running", number) for number in (1, 2)
        ]
        assert [each.state for each in await store.deliveries()] == [DeliveryState.DELIVERED] * 2


async def test_what_a_program_of_before_moves_loses_the_forecast_of_its_former_status(
    new_url: str, older: Older
) -> None:
    async with SqlStore(new_url) as store:
        (job,) = await watch(store, KEY, now=NOON - MINUTE)
        change = move(job, "queued", NOON - MINUTE)
        forecast = Forecast(NOON + MINUTE, Basis.HISTORY, NOON - SECOND)
        await store.record([replace(change, job=replace(change.job, forecast=forecast))])
        assert (await the_job(store)).forecast == forecast
        older.does("move", id=KEY.id, status="running", seq=change.job.seq + 1, seen=change.job.seq)
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
            OF_0001["add"].replace("job_id,", "job_id, colour,").replace(":id,", ":id, 'red',"),
            "INSERT INTO note SELECT id, 'from a newer program' FROM job",
            id="ftjob-2",
            now=NOON,
        )
        assert [job.key for job in await take(store)] == [key(1), key(2)]
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
