"""`kill -9` at each step of a transition, from retrieve to settlement: it is recorded once, and delivered with one id.

The tests stop the watcher at each step from outside: they lock the database, or the receiver does not answer.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from signal import SIGHUP, SIGKILL

import psycopg
import pytest

from tests.e2e.processes import LIMIT, Command, Running
from tests.e2e.settings import API_KEY, INTERVAL, Settings, webhook
from tests.evidence.database import claimed_count, expire_claims, read_database
from tests.evidence.environment import NOTIFIER, Environment, open_environment
from tests.evidence.postgresql import PostgreSQL, postgresql
from tests.evidence.reconcile import Coverage
from watcher.simulator.receiver import ACCEPTED
from watcher.simulator.script import JobScript, Script, Step
from watcher.simulator.server import HOST, Manner, Received, Reply

JOB = "ftjob-crash"
LATENCY = timedelta(seconds=0.3)
"""How long the API takes to answer: long enough to lock a database meanwhile."""
COVERAGE = Coverage(timedelta(seconds=5))

Reached = AbstractAsyncContextManager[None]


@dataclass(frozen=True)
class Moment:
    """A step on the way from running to succeeded."""

    reach: Callable[[Environment, Running], Reached]
    """Brings the watcher there, and keeps it there."""
    is_recorded: bool
    """Whether the transition is in the database then."""
    accepted: int = 1
    """How many messages the receiver has accepted then."""
    repeated: int = 0
    """How many it accepts twice in the end."""
    is_on_postgresql: bool = False


def settings_of(environment: Environment, **parts: object) -> Settings:
    return environment.settings(polling={"interval": INTERVAL}, log={"level": "debug"}, **parts)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(LIMIT.total_seconds()):
        while not condition():
            await asyncio.sleep(0.01)


@contextmanager
def locked(environment: Environment) -> Iterator[None]:
    """Lock the SQLite file against other writers."""
    with closing(sqlite3.connect(environment.command.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@asynccontextmanager
async def after_the_retrieve(environment: Environment, running: Running) -> AsyncIterator[None]:
    """The API has reported the status, and the transaction cannot begin."""
    asked = len(environment.api.requests)
    await until(lambda: len(environment.api.requests) > asked)
    with locked(environment):
        environment.api.set_status(JOB, "succeeded")
        await running.until_logged("poll answered", status="succeeded")
        yield


@asynccontextmanager
async def before_the_commit(environment: Environment, running: Running) -> AsyncIterator[None]:
    """The transition is inserted, and its deliveries cannot be: the transaction is open."""
    waiting = b"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'delivery'::regclass"
    with psycopg.connect(environment.url) as other, psycopg.connect(environment.url, autocommit=True) as observer:
        other.execute("LOCK TABLE delivery IN SHARE MODE")
        environment.api.set_status(JOB, "succeeded")
        await until(lambda: observer.execute(waiting).fetchall() == [(1,)])
        yield


@asynccontextmanager
async def after_the_commit(environment: Environment, running: Running) -> AsyncIterator[None]:
    """The transition is recorded, and the receiver accepts no connection."""
    with socket.create_server((HOST, 0), backlog=0) as listener, full_backlog(listener):
        elsewhere = webhook(f"http://{HOST}:{listener.getsockname()[1]}/hooks")
        environment.command.configure(settings_of(environment, notifiers={NOTIFIER: elsewhere}))
        running.signal(SIGHUP)
        await running.until_logged("configuration reloaded")
        environment.api.set_status(JOB, "succeeded")
        await until(lambda: claimed_count(environment.url))
        yield
        environment.command.configure(settings_of(environment))


@contextmanager
def full_backlog(listener: socket.socket) -> Iterator[None]:
    """Fill the backlog of a listening socket, so that the next client waits in connect."""
    clients = [socket.socket() for _ in range(4)]
    for client in clients:
        client.setblocking(False)
        with suppress(BlockingIOError):
            client.connect(listener.getsockname())
    yield
    for client in clients:
        client.close()


@asynccontextmanager
async def after_the_send(environment: Environment, running: Running) -> AsyncIterator[None]:
    """The receiver has the message, and does not answer."""
    got = len(environment.receiver.received)
    environment.receiver.answers = [Reply(manner=Manner.HANG)]
    environment.api.set_status(JOB, "succeeded")
    await environment.receiver.wait_for(got + 1, LIMIT)
    yield


@asynccontextmanager
async def before_the_settlement(environment: Environment, running: Running) -> AsyncIterator[None]:
    """The receiver has accepted the message, and that cannot be recorded."""
    with closing(sqlite3.connect(environment.command.database, isolation_level=None)) as other:

        def accept_and_lock(_: Received) -> Reply:
            other.execute("BEGIN IMMEDIATE")
            return ACCEPTED

        environment.receiver.answers = accept_and_lock
        environment.api.set_status(JOB, "succeeded")
        await running.until_logged("delivery accepted", status="succeeded")
        yield


MOMENTS = [
    Moment(after_the_retrieve, is_recorded=False),
    Moment(before_the_commit, is_recorded=False, is_on_postgresql=True),
    Moment(after_the_commit, is_recorded=True),
    Moment(after_the_send, is_recorded=True),
    Moment(before_the_settlement, is_recorded=True, accepted=2, repeated=1),
]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with postgresql() as server:
        yield server


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(
            moment,
            id=moment.reach.__name__,
            marks=pytest.mark.postgresql if moment.is_on_postgresql else (),
        )
        for moment in MOMENTS
    ],
)
async def test_a_kill_at_any_step_loses_nothing_and_delivers_nothing_under_two_ids(
    watcher: Command, request: pytest.FixtureRequest, moment: Moment
) -> None:
    """The claim of the killed process lasts 30 s: the test ends it by an update of the database."""
    url = request.getfixturevalue("server").new_database() if moment.is_on_postgresql else None
    script = Script((JobScript(JOB, (Step("running"),)),), api_key=API_KEY, latency=LATENCY)
    async with open_environment(watcher, script, url) as environment:
        watcher.configure(settings_of(environment))
        async with watcher.start("run") as running:
            await running.until_logged("delivery accepted", status="running")
            while [each.state for each in read_database(environment.url).deliveries] != ["delivered"]:
                await asyncio.sleep(0.01)  # it is logged before it is recorded
            async with moment.reach(environment, running):
                ended = await running.stop(SIGKILL)
        assert ended.code == -SIGKILL
        recorded = [entry.status for entry in read_database(environment.url).transitions]
        assert recorded == (["running", "succeeded"] if moment.is_recorded else ["running"])
        assert len(environment.receiver.accepted) == moment.accepted

        environment.receiver.answers = [ACCEPTED]
        assert expire_claims(environment.url) == (1 if moment.is_recorded else 0)
        async with watcher.start("run") as running:
            await running.until_logged("watching")
            await environment.until_settled(running, LIMIT)
            assert (await running.stop()).code == 0
        report = environment.report(COVERAGE)
    report.check()
    assert (report.recorded, report.delivered, report.repeated) == (2, 2, moment.repeated)
    assert all(message.verified for message in environment.receiver.received)


async def test_a_delivery_claimed_by_a_killed_process_waits_until_the_claim_expires(watcher: Command) -> None:
    script = Script((JobScript(JOB, (Step("succeeded"),)),), api_key=API_KEY)
    async with open_environment(watcher, script) as environment:
        watcher.configure(settings_of(environment))
        environment.receiver.answers = [Reply(manner=Manner.HANG)]
        async with watcher.start("run") as running:
            await environment.receiver.wait_for(1, LIMIT)
            await running.stop(SIGKILL)
        environment.receiver.answers = [ACCEPTED]
        async with watcher.start("run") as running:
            await running.until_logged("watching", jobs=1)
            held = json.loads((await watcher.run("deliveries", "list", "--json")).out)
            assert [(each["state"], each["attempts"]) for each in held] == [("pending", 0)]
            assert len(environment.receiver.received) == 1
            assert expire_claims(environment.url) == 1
            accepted = await running.until_logged("delivery accepted")
            assert (await running.stop()).code == 0
    first, second = environment.receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == accepted["event_id"]
    assert first.body == second.body


async def test_a_process_killed_while_it_polls_costs_one_interval_and_nothing_else(watcher: Command) -> None:
    script = Script((JobScript(JOB, (Step("queued"),)),), api_key=API_KEY, latency=LATENCY)
    async with open_environment(watcher, script) as environment:
        watcher.configure(settings_of(environment))
        async with watcher.start("run") as running:
            await running.until_logged("delivery accepted", status="queued")
            asked = len(environment.api.requests)
            await until(lambda: len(environment.api.requests) > asked)
            assert (await running.stop(SIGKILL)).code == -SIGKILL
        environment.api.set_status(JOB, "succeeded")
        async with watcher.start("run") as running:
            await running.until_logged("delivery accepted", status="succeeded")
            assert (await running.stop()).code == 0
        report = environment.report(COVERAGE)
    report.check()
    assert (report.recorded, report.repeated) == (2, 0)
