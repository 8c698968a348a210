"""`kill -9` at each step on the way of a transition: it is recorded once, and told with one id, whatever was under way.

Each step is reached from outside: by locking the database, by a receiver that is not there, or that does not answer.
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
from tests.evidence.postgresql import PostgreSQL, postgresql
from tests.evidence.reconcile import Follow
from tests.evidence.record import claimed, expire_claims, read_record
from tests.evidence.stage import NOTIFIER, Stage, stage
from watcher.simulator.receiver import ACCEPTED
from watcher.simulator.script import JobScript, Script, Step
from watcher.simulator.server import HOST, Manner, Received, Reply

JOB = "ftjob-crash"
LATENCY = timedelta(seconds=0.3)
"""How long an answer of the API is under way: long enough to lock a database meanwhile."""
WATCH = Follow(timedelta(seconds=5))

Reached = AbstractAsyncContextManager[None]


@dataclass(frozen=True)
class Moment:
    """A step on the way from running to succeeded."""

    reach: Callable[[Stage, Running], Reached]
    """Brings the watcher there, and keeps it there."""
    is_recorded: bool
    """Whether the transition is in the record then."""
    accepted: int = 1
    """How many messages the receiver has accepted then."""
    repeated: int = 0
    """How many it accepts twice in the end."""
    is_on_postgresql: bool = False


def settings_of(scene: Stage, **parts: object) -> Settings:
    return scene.settings(polling={"interval": INTERVAL}, log={"level": "debug"}, **parts)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(LIMIT.total_seconds()):
        while not condition():
            await asyncio.sleep(0.01)


@contextmanager
def locked(scene: Stage) -> Iterator[None]:
    """Let nobody else write into the SQLite file."""
    with closing(sqlite3.connect(scene.command.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@asynccontextmanager
async def after_the_retrieve(scene: Stage, running: Running) -> AsyncIterator[None]:
    """The API has said it, and the transaction cannot begin."""
    asked = len(scene.truth.requests)
    await until(lambda: len(scene.truth.requests) > asked)
    with locked(scene):
        scene.truth.set_status(JOB, "succeeded")
        await running.until_logged("poll answered", status="succeeded")
        yield


@asynccontextmanager
async def before_the_commit(scene: Stage, running: Running) -> AsyncIterator[None]:
    """The transition is written, and its deliveries cannot be: the transaction is under way."""
    waiting = b"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'delivery'::regclass"
    with psycopg.connect(scene.url) as other, psycopg.connect(scene.url, autocommit=True) as looker:
        other.execute("LOCK TABLE delivery IN SHARE MODE")
        scene.truth.set_status(JOB, "succeeded")
        await until(lambda: looker.execute(waiting).fetchall() == [(1,)])
        yield


@asynccontextmanager
async def after_the_commit(scene: Stage, running: Running) -> AsyncIterator[None]:
    """It is recorded, and the receiver takes no connection."""
    with socket.create_server((HOST, 0), backlog=0) as deaf, busy(deaf):
        elsewhere = webhook(f"http://{HOST}:{deaf.getsockname()[1]}/hooks")
        scene.command.configure(settings_of(scene, notifiers={NOTIFIER: elsewhere}))
        running.signal(SIGHUP)
        await running.until_logged("configuration reloaded")
        scene.truth.set_status(JOB, "succeeded")
        await until(lambda: claimed(scene.url))
        yield
        scene.command.configure(settings_of(scene))


@contextmanager
def busy(deaf: socket.socket) -> Iterator[None]:
    """Fill the queue of those who wait to be let in: whoever comes next waits for the first step of the connection."""
    callers = [socket.socket() for _ in range(4)]
    for caller in callers:
        caller.setblocking(False)
        with suppress(BlockingIOError):
            caller.connect(deaf.getsockname())
    yield
    for caller in callers:
        caller.close()


@asynccontextmanager
async def after_the_send(scene: Stage, running: Running) -> AsyncIterator[None]:
    """The receiver has the message, and does not answer."""
    got = len(scene.receiver.received)
    scene.receiver.answers = [Reply(manner=Manner.HANG)]
    scene.truth.set_status(JOB, "succeeded")
    await scene.receiver.wait_for(got + 1, LIMIT)
    yield


@asynccontextmanager
async def before_the_settlement(scene: Stage, running: Running) -> AsyncIterator[None]:
    """The receiver has accepted the message, and that cannot be recorded."""
    with closing(sqlite3.connect(scene.command.database, isolation_level=None)) as other:

        def accept_and_lock(_: Received) -> Reply:
            other.execute("BEGIN IMMEDIATE")
            return ACCEPTED

        scene.receiver.answers = accept_and_lock
        scene.truth.set_status(JOB, "succeeded")
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


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.reach.__name__)
async def test_a_kill_at_any_step_loses_nothing_and_tells_nothing_under_two_ids(
    watcher: Command, request: pytest.FixtureRequest, moment: Moment
) -> None:
    """The claim of the dead process would hold for 30 s: the test moves its end, in the database itself."""
    url = request.getfixturevalue("server").new_database() if moment.is_on_postgresql else None
    script = Script((JobScript(JOB, (Step("running"),)),), api_key=API_KEY, latency=LATENCY)
    async with stage(watcher, script, url) as scene:
        watcher.configure(settings_of(scene))
        async with watcher.start("run") as running:
            await running.until_logged("delivery accepted", status="running")
            async with moment.reach(scene, running):
                ended = await running.stop(SIGKILL)
        assert ended.code == -SIGKILL
        recorded = [entry.status for entry in read_record(scene.url).transitions]
        assert recorded == (["running", "succeeded"] if moment.is_recorded else ["running"])
        assert len(scene.receiver.accepted) == moment.accepted

        scene.receiver.answers = [ACCEPTED]
        assert expire_claims(scene.url) == (1 if moment.is_recorded else 0)
        async with watcher.start("run") as running:
            await running.until_logged("watching")
            await scene.until_settled(running, LIMIT)
            assert (await running.stop()).code == 0
        tally = scene.tally(WATCH)
    tally.check()
    assert (tally.recorded, tally.delivered, tally.repeated) == (2, 2, moment.repeated)
    assert all(message.verified for message in scene.receiver.received)


async def test_what_a_dead_process_had_in_hand_is_left_alone_until_its_claim_is_over(watcher: Command) -> None:
    script = Script((JobScript(JOB, (Step("succeeded"),)),), api_key=API_KEY)
    async with stage(watcher, script) as scene:
        watcher.configure(settings_of(scene))
        scene.receiver.answers = [Reply(manner=Manner.HANG)]
        async with watcher.start("run") as running:
            await scene.receiver.wait_for(1, LIMIT)
            await running.stop(SIGKILL)
        scene.receiver.answers = [ACCEPTED]
        async with watcher.start("run") as running:
            await running.until_logged("watching", jobs=1)
            held = json.loads((await watcher.run("deliveries", "list", "--json")).out)
            assert [(each["state"], each["attempts"]) for each in held] == [("pending", 0)]
            assert len(scene.receiver.received) == 1
            assert expire_claims(scene.url) == 1
            accepted = await running.until_logged("delivery accepted")
            assert (await running.stop()).code == 0
    first, second = scene.receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == accepted["event_id"]
    assert first.body == second.body


async def test_a_process_killed_while_it_polls_costs_one_interval_and_nothing_else(watcher: Command) -> None:
    script = Script((JobScript(JOB, (Step("queued"),)),), api_key=API_KEY, latency=LATENCY)
    async with stage(watcher, script) as scene:
        watcher.configure(settings_of(scene))
        async with watcher.start("run") as running:
            await running.until_logged("delivery accepted", status="queued")
            asked = len(scene.truth.requests)
            await until(lambda: len(scene.truth.requests) > asked)
            assert (await running.stop(SIGKILL)).code == -SIGKILL
        scene.truth.set_status(JOB, "succeeded")
        async with watcher.start("run") as running:
            await running.until_logged("delivery accepted", status="succeeded")
            assert (await running.stop()).code == 0
        tally = scene.tally(WATCH)
    tally.check()
    assert (tally.recorded, tally.repeated) == (2, 0)
