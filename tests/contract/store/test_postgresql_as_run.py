"""PostgreSQL as people run it: other settings, other encodings, a pooler in between, a standby that took over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tests.contract.store.open_store import OpenStore
from tests.contract.store.pooler import pooled
from tests.contract.store.scenes import (
    DELIVERED,
    KEY,
    MINUTE,
    NOON,
    SECOND,
    claim,
    claim_jobs,
    key,
    move,
    owe,
    settle,
    the_job,
    watch,
)
from tests.recorded import history
from watcher.domain.deliveries import DeliveryState
from watcher.domain.jobs import JobSpec
from watcher.errors import StoreUnavailableError, StoreUnusableError
from watcher.store.address import parse_url

NAME = "模型 🚀 \\ ' \" {x}"
ON_DATABASE = {
    "datestyle": "German",
    "intervalstyle": "iso_8601",
    "timezone": "Asia/Kathmandu",
    "standard_conforming_strings": "off",
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
    "default_transaction_isolation": "serializable",
    "transform_null_equals": "on",
    "lc_messages": "C",
}
VARIABLES = {
    "PGDATESTYLE": "SQL, DMY",
    "PGTZ": "America/St_Johns",
    "PGCLIENTENCODING": "SQL_ASCII",
    "PGOPTIONS": "-c datestyle=Postgres -c standard_conforming_strings=off -c timezone=Asia/Tokyo",
    "PGAPPNAME": "somebody else",
}


def alter(url: str, *settings: str) -> None:
    """Change what connections to the database begin with."""
    name = urlsplit(url).path.lstrip("/")
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in settings:
            connection.execute(f"ALTER DATABASE {name} SET {setting}".encode())


async def live(store: OpenStore) -> None:
    """Have a job pass through everything that is stored, and read it all back."""
    await store.upsert_jobs([JobSpec(KEY, NAME, {"team": NAME})], NOON)
    (job,) = await claim_jobs(store)
    assert (job.name, job.due_at) == (NAME, NOON + MINUTE)
    change = move(job, "running", NOON + SECOND, ["pager"], document=f'{{"name": "{NAME}"}}')
    assert await store.record([change]) == set()
    (delivery,) = await claim(store)
    assert (delivery.event, delivery.next_at) == (change.transition, NOON + SECOND)
    await settle(store, [delivery], DELIVERED)
    assert await history(store, KEY) == [change.transition]
    assert await store.jobs() == [change.job]
    assert [(each.notifier, each.state) for each in await store.deliveries()] == [("pager", DeliveryState.DELIVERED)]


@pytest.mark.parametrize(("name", "value"), ON_DATABASE.items(), ids=ON_DATABASE)
async def test_what_a_database_sets_otherwise_changes_nothing(name: str, value: str, postgresql_url: str) -> None:
    alter(postgresql_url, f"{name} = '{value}'")
    async with OpenStore(postgresql_url) as store:
        await live(store)


@pytest.mark.parametrize(("name", "value"), VARIABLES.items(), ids=VARIABLES)
async def test_what_the_environment_sets_otherwise_changes_nothing(
    name: str, value: str, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    async with OpenStore(postgresql_url) as store:
        await live(store)


async def test_what_the_url_asks_of_the_encoding_changes_nothing(postgresql_url: str) -> None:
    async with OpenStore(f"{postgresql_url}&client_encoding=latin1") as store:
        await live(store)


async def test_settings_changed_while_connected_change_nothing(postgresql_url: str) -> None:
    async with OpenStore(postgresql_url) as store:
        for name in ("datestyle", "timezone", "standard_conforming_strings"):
            await store.statement(f"SET SESSION {name} = '{ON_DATABASE[name]}'")
        await live(store)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_JP"])
async def test_a_database_that_cannot_hold_every_text_is_refused(encoding: str, postgresql_url: str) -> None:
    name = f"{urlsplit(postgresql_url).path.lstrip('/')}_{encoding.lower()}"
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'".encode()
        )
    url = postgresql_url.replace(f"@{urlsplit(postgresql_url).path}?", f"@/{name}?")
    with pytest.raises(StoreUnusableError, match=rf"{name} has the encoding {encoding}, .* ENCODING 'UTF8'"):
        await OpenStore(url).__aenter__()


async def test_tables_are_found_where_they_are_whatever_the_search_path_begins_with(postgresql_url: str) -> None:
    async with OpenStore(postgresql_url) as store:
        await watch(store, KEY)
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA other")
    alter(postgresql_url, "search_path = other, public")
    async with OpenStore(postgresql_url) as store:
        assert (await the_job(store)).key == KEY


async def test_a_search_path_that_leads_nowhere_is_told_in_words(postgresql_url: str) -> None:
    alter(postgresql_url, "search_path = missing")
    with pytest.raises(StoreUnavailableError, match="has no schema for the tables: the search_path"):
        await OpenStore(postgresql_url).__aenter__()


async def test_a_connection_that_became_read_only_is_replaced(postgresql_url: str) -> None:
    """After a failover the old primary keeps its connections, and refuses to write for ever."""
    async with OpenStore(postgresql_url) as store:
        (job,) = await watch(store, KEY)
        await store.statement("SET SESSION default_transaction_read_only = on")
        with pytest.raises(StoreUnavailableError, match="is read-only: perhaps another server has taken over"):
            await store.record([move(job, "running")])
        assert await store.record([move(job, "running")]) == set()


async def test_a_prepared_statement_that_is_forgotten_costs_one_refusal(postgresql_url: str) -> None:
    async with OpenStore(postgresql_url) as store:
        for number in range(8):
            await owe(store, ["running"], job=key(number))
        await store.statement("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")
        with pytest.raises(StoreUnavailableError, match="forgotten a statement"):
            await owe(store, ["running"], job=key(8))
        await owe(store, ["running"], job=key(8))


async def test_of_several_hosts_the_one_is_taken_that_can_be_written(postgresql_url: str) -> None:
    (directory,) = parse_qs(urlsplit(postgresql_url).query)["host"]
    url = postgresql_url.replace(directory, f"/nowhere,{directory}") + "&target_session_attrs=read-write"
    async with OpenStore(url) as store:
        await live(store)


@pytest.fixture
def pooled_url(postgresql_url: str) -> Iterator[str]:
    """The URL of an empty database behind PgBouncer, which gives each transaction any of three connections."""
    with pooled(postgresql_url) as url:
        yield url


async def test_behind_pgbouncer_everything_works(pooled_url: str) -> None:
    async with OpenStore(pooled_url) as store:
        await live(store)


async def test_behind_pgbouncer_no_statement_needs_the_connection_of_another(pooled_url: str) -> None:
    """Several watchers take turns on the same three connections, often enough for drivers to prepare statements."""

    async def work(source: str) -> None:
        async with OpenStore(pooled_url) as store:
            (job,) = await watch(store, key(1, source))
            for number in range(15):
                change = move(job, f"step {number}", NOON + number * SECOND, ["pager"])
                assert await store.record([change]) == set()
                await settle(store, await claim(store), DELIVERED)
                (taken,) = await claim_jobs(store, source=source, now=NOON + (number + 2) * MINUTE)
                assert taken.status == f"step {number}"
                job = change.job
            assert len(await history(store, job.key)) == 15

    await asyncio.gather(*(work(f"s{number}") for number in range(4)))


async def test_behind_pgbouncer_waits_are_bounded_and_nobody_inherits_our_settings(pooled_url: str) -> None:
    async with OpenStore(pooled_url) as store:
        assert await store.statement("SHOW lock_timeout") == [("5s",)]
        assert await store.statement("SHOW statement_timeout") == [("8s",)]
        with psycopg.connect(pooled_url, autocommit=True) as other:
            assert other.execute("SHOW lock_timeout").fetchone() == ("0",)


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("postgresql://ann:pw@one:5432,two:5433/db", "postgresql://ann:***@one:5432,two:5433/db"),
        ("postgresql://ann@one,two/db", "postgresql://ann@one,two/db"),
        ("postgresql://[::1]:5432/db?sslmode=verify-full", "postgresql://[::1]:5432/db"),
        ("postgresql:///db?host=/run/postgresql&user=ann", "postgresql://ann@/db"),
        ("postgresql://db/w?hostaddr=10.0.0.1&password=pw", "postgresql://:***@db/w"),
    ],
    ids=["several hosts and ports", "several hosts", "IPv6", "socket", "password in the query"],
)
def test_the_address_is_shown_without_what_is_secret(url: str, label: str) -> None:
    assert getattr(parse_url(url), "label", None) == label
