"""Many jobs are asked for by list pages, and the transitions are the same as with retrieves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Self

import pytest

from tests.doubles import (
    FaultyStore,
    ManualClock,
    RecordingLog,
    ScriptedSource,
    job_in,
    observation,
    runtime,
    source_state,
    until,
)
from tests.recorded import history
from watcher.domain.jobs import NO_METADATA, JobKey, JobSpec, ListedJob, Observation, Page
from watcher.domain.polling_policy import PollingPolicy
from watcher.domain.routing import FirstSeen, Route
from watcher.engine.polling.list_scan import FIRST_PAUSE, VERIFY_INTERVAL, Strategy
from watcher.engine.polling.poller import Poller
from watcher.engine.polling.rate_limit import RateLimit
from watcher.engine.ports import ClaimRequest
from watcher.errors import MissingError, RejectedError, StoreUnavailableError, TransientError
from watcher.store.sql import SqlStore

INTERVAL = timedelta(seconds=30)
POLICY = PollingPolicy(INTERVAL, timedelta(minutes=5), is_adaptive=False)


class World:
    """Jobs of one source, in a real store, asked for in one of the ways."""

    def __init__(
        self,
        store: SqlStore,
        source: ScriptedSource,
        strategy: Strategy,
        rate_limit: RateLimit | None = None,
        clock: ManualClock | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        self.log = RecordingLog()
        self.store = store
        self.source = source
        routes = [Route("all", first_seen=FirstSeen.ALWAYS)]
        self.faults = FaultyStore(store)
        self.poller = Poller(self.faults, runtime(self.clock, self.log), routes=routes, wake_delivery=lambda: None)
        self.state = source_state(source, POLICY, self.clock, 500, strategy=strategy, rate_limit=rate_limit)
        self.poller.sources.add(self.state)

    async def __aenter__(self) -> Self:
        keys = [JobKey("openai", job_id) for job_id in self.source.script]
        await self.store.upsert_jobs([JobSpec(key) for key in keys], self.clock())
        self._task = asyncio.create_task(self.poller.run())
        await self.turn()
        # What is recorded later says when a job is due next: not before the clock is moved.
        await until(lambda: self.log.events("info").count("transition") >= self._answered())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _answered(self) -> int:
        """Return how many jobs were asked for, and have a status."""
        return sum(isinstance(self.source.script[job_id][0], str) for job_id in set(self.source.asked))

    async def turn(self, **duration: float) -> None:
        """Move the clock, and let all that is due be asked for."""
        self.clock.move(**duration)
        await self.settle()

    async def settle(self) -> None:
        for _ in range(2):  # the first look may have begun before the clock was moved
            self.poller.first_turn.clear()
            self.poller.wake()
            await self.poller.first_turn.wait()
            await until(lambda: self.state.is_idle)

    def asked(self) -> tuple[int, int]:
        """Return how many pages and how many jobs were asked for since the last call."""
        counts = len(self.source.pages_asked), len(self.source.asked)
        self.source.pages_asked, self.source.asked = [], []
        return counts

    async def history(self) -> dict[str, list[str]]:
        """Return what was told of each job. To be asked for once the poller has ended, which records the last of it."""
        return {
            job_id: [each.status for each in await history(self.store, JobKey("openai", job_id))]
            for job_id in self.source.script
        }


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with SqlStore(f"sqlite:///{tmp_path}/watcher.db") as opened:
        yield opened


def running(count: int) -> ScriptedSource:
    return ScriptedSource(ManualClock(), {f"job-{number}": ["running"] for number in range(count)})


async def test_one_page_takes_the_place_of_a_hundred_retrieves(store: SqlStore) -> None:
    async with World(store, running(250), Strategy.AUTO) as world:
        # What was never seen takes the whole object, whatever a page says.
        assert world.asked() == (0, 250)
        await world.turn(seconds=30)
        pages, retrieves = world.asked()
        assert pages == 3
        assert retrieves < 20  # those whose turn it is to be verified
        assert [each.last_success for each in world.poller.sources.health()] == [world.clock()]


async def test_more_jobs_than_are_claimed_at_once_are_looked_up_by_one_scan(store: SqlStore) -> None:
    async with World(store, running(250), Strategy.AUTO) as world:
        world.state.concurrency, world.state.claimed_at_once = 30, 40
        world.asked()
        await world.turn(seconds=30)
        pages, retrieves = world.asked()
        assert pages == 3
        assert retrieves < 20


@pytest.mark.parametrize("strategy", [Strategy.AUTO, Strategy.LIST])
async def test_a_scan_claims_each_job_once(store: SqlStore, strategy: Strategy) -> None:
    async with World(store, running(250), strategy) as world:
        world.state.concurrency, world.state.claimed_at_once = 50, 40
        world.faults.claimed.clear()
        await world.turn(seconds=30)
        assert len(world.faults.claimed) == len(set(world.faults.claimed)) == 250


async def test_other_tasks_get_their_turn_while_a_scan_is_judged(store: SqlStore) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += len(world.source.pages_asked) == 3 and world.state.scan.is_running
            await asyncio.sleep(0)

    async with World(store, running(250), Strategy.AUTO) as world:
        world.state.judged_at_once = 5
        world.asked()
        counting = asyncio.create_task(count())
        await world.turn(seconds=30)
        counting.cancel()
        assert turns >= 50


async def test_one_scan_looks_after_so_many_jobs_at_most(store: SqlStore) -> None:
    async with World(store, running(250), Strategy.AUTO) as world:
        world.state.concurrency, world.state.claimed_at_once, world.state.most_listed = 30, 40, 80
        world.asked()
        world.clock.move(seconds=30)
        world.poller.first_turn.clear()
        world.poller.wake()
        await world.poller.first_turn.wait()
        due = await world.store.claim_due({"openai": ClaimRequest(250, world.clock() + INTERVAL)}, world.clock())
        assert len(due) == 250 - 30 - 80


async def test_few_jobs_are_retrieved(store: SqlStore) -> None:
    async with World(store, running(19), Strategy.AUTO) as world:
        await world.turn(seconds=30)
        assert world.asked() == (0, 38)


async def test_on_request_pages_are_read_for_few_jobs_and_retrieves_are_used_for_many(
    store: SqlStore, tmp_path: Path
) -> None:
    async with World(store, running(3), Strategy.LIST) as world:
        await world.turn(seconds=30)
        assert world.asked() == (1, 3)
    async with (
        SqlStore(f"sqlite:///{tmp_path}/other.db") as other,
        World(other, running(250), Strategy.RETRIEVE) as world,
    ):
        await world.turn(seconds=30)
        assert world.asked() == (0, 500)


async def test_what_changed_is_retrieved_and_its_whole_object_recorded(store: SqlStore) -> None:
    source = running(100)
    async with World(store, source, Strategy.AUTO) as world:
        world.asked()
        source.script["job-7"] = ["succeeded"]
        await world.turn(seconds=30)
        assert "job-7" in source.asked
    recorded = await history(store, JobKey("openai", "job-7"))
    assert [(each.status, each.document) for each in recorded] == [
        (status, observation(status, key=JobKey("openai", "job-7")).document) for status in ("running", "succeeded")
    ]


async def test_what_the_pages_do_not_hold_is_retrieved(store: SqlStore) -> None:
    source = running(100)
    source.listed = source.listed[:90]
    async with World(store, source, Strategy.AUTO) as world:
        world.asked()
        await world.turn(seconds=30)
        assert {f"job-{number}" for number in range(90, 100)} <= set(source.asked)


async def test_whatever_the_list_says_each_job_is_retrieved_within_half_an_hour(store: SqlStore) -> None:
    """The list of a service may lag behind, or be wrong for ever."""
    source = running(100)
    stale = Page(dict.fromkeys(source.script, ListedJob("running")), None)

    async def page(after: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        source.pages_asked.append(after)
        return stale

    source.page = page  # type: ignore[method-assign]
    async with World(store, source, Strategy.AUTO) as world:
        source.script["job-7"] = ["failed"]
        for _ in range(VERIFY_INTERVAL // INTERVAL):
            await world.turn(seconds=30)
    assert (await world.history())["job-7"] == ["running", "failed"]
    assert world.asked()[1] < 100 + 2 * 100 + 10


@pytest.mark.parametrize(
    ("trouble", "pages"),
    [(MissingError("HTTP 404: no such URL"), 0), (RejectedError("HTTP 403"), 0), (TransientError("HTTP 503"), 1)],
)
async def test_without_a_list_jobs_are_retrieved(store: SqlStore, trouble: Exception, pages: int) -> None:
    """A service that has none is not asked for it each time; one that only stumbles is."""
    source = running(40)
    source.list_trouble = trouble
    async with World(store, source, Strategy.AUTO) as world:
        await world.turn(seconds=30)
        assert world.asked() == (1, 80)
        await world.turn(seconds=30)
        assert world.asked() == (pages, 40)
        assert world.log.events("error") == []
        source.list_trouble = None
        await world.turn(seconds=FIRST_PAUSE.total_seconds())
        assert world.asked()[0] == 1


async def test_a_list_that_does_not_hold_our_jobs_is_left_alone(store: SqlStore) -> None:
    source = running(40)
    source.listed = []
    async with World(store, source, Strategy.AUTO) as world:
        await world.turn(seconds=30)
        assert world.asked() == (1, 80)
        await world.turn(seconds=30)
        assert world.asked() == (0, 40)


def _is_verified(world: World, job_id: str) -> bool:
    job = job_in("running")._replace(key=JobKey("openai", job_id))
    return not world.state.scan.settles(job, {job_id: "running"})


async def test_few_due_jobs_of_many_pages_are_retrieved(store: SqlStore) -> None:
    """Reading a list of ten pages for them would take more requests."""
    source = running(950)
    async with World(store, source, Strategy.AUTO) as world:
        await world.turn(seconds=30)
        assert world.asked() == (
            10,
            950 + len([each for each in source.script if _is_verified(world, each)]),
        )
        due = [job_in("running")] * 20
        assert not world.state.scan.pays(due[:19], 500)
        assert world.state.scan.pays(due, 500)
        world.state.scan.pages = 40
        assert not world.state.scan.pays(due * 3, 500)
        assert world.state.scan.pays(due * 4, 500)


async def test_a_rejecting_source_is_not_asked_for_its_list(store: SqlStore) -> None:
    source = running(40)
    source.script = {key: [RejectedError("HTTP 401")] for key in source.script}
    source.list_trouble = RejectedError("HTTP 401")
    async with World(store, source, Strategy.LIST) as world:
        world.asked()
        await world.turn(seconds=61)
        assert world.asked() == (0, 1)


async def test_polling_by_pages_goes_on_while_the_record_is_out_of_reach(store: SqlStore) -> None:
    async def broken() -> None:
        raise StoreUnavailableError("the disk is full")

    async with World(store, running(100), Strategy.AUTO) as world:
        world.asked()
        world.faults.before_claim = broken
        await world.turn(seconds=30)
        assert world.asked()[0] == 1


async def test_a_budget_is_spent_on_a_page_rather_than_on_retrieves(store: SqlStore) -> None:
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    rate_limit = RateLimit(60, lambda: now, sleep)
    async with World(store, running(100), Strategy.AUTO, rate_limit) as world:
        await until(lambda: len(world.source.asked) == 100)
        await world.turn(seconds=30)
        assert world.asked()[0] == 1


class Lives(ScriptedSource):
    """Jobs whose statuses are a matter of the time."""

    def __init__(self, clock: ManualClock, lives: Mapping[str, Sequence[tuple[float, str]]]) -> None:
        super().__init__(clock, {key: ["?"] for key in lives})
        self.lives = lives
        self.begun = clock()

    def status(self, job_id: str) -> str:
        age = (self.clock() - self.begun).total_seconds()
        return [status for begin, status in self.lives[job_id] if begin <= age][-1]

    async def retrieve(self, job_id: str, known: str | None = None) -> Observation | None:
        self.asked.append(job_id)
        status = self.status(job_id)
        return None if status == known else observation(status, self.clock(), JobKey("openai", job_id))

    async def page(self, cursor: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        page = await super().page(cursor, metadata=metadata)
        return Page({job_id: ListedJob(self.status(job_id)) for job_id in page.jobs}, page.after)


def a_life(random: Random) -> list[tuple[float, str]]:
    statuses = ["validating_files", "queued", "running", "paused", "queued", "running"][: random.randint(1, 6)]
    statuses.append(random.choice(["succeeded", "failed", "cancelled", "compressing"]))
    begins = sorted(random.sample(range(1, 40), len(statuses) - 1))
    return [(30.0 * begin, status) for begin, status in zip([0, *begins], statuses, strict=True)]


@pytest.mark.parametrize("seed", range(3))
async def test_the_transitions_are_the_same_whichever_way_is_used(tmp_path: Path, seed: int) -> None:
    lives = {f"job-{number}": a_life(Random(f"{seed}-{number}")) for number in range(120)}
    histories = []
    for strategy in Strategy:
        async with SqlStore(f"sqlite:///{tmp_path}/{strategy}.db") as store:
            clock = ManualClock()
            source = Lives(clock, lives)
            world = World(store, source, strategy, clock=clock)
            async with world:
                for _ in range(42):
                    await world.turn(seconds=30)
            histories.append(await world.history())
            assert bool(source.pages_asked) == (strategy is not Strategy.RETRIEVE)

    assert histories[0] == histories[1] == histories[2]
    assert histories[0] == {job_id: [status for _, status in life] for job_id, life in lives.items()}
