"""What a poll costs without its request: to find and claim what is due, to decide, and to record what is new."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.recording import NOON
from tests.benchmarks.results import Table, Target, spread, verdict
from tests.benchmarks.server import BODY
from tests.doubles import ManualClock, RecordingLog, runtime, source_state
from watcher.domain.jobs import JobFacts, JobKey, JobSpec, Observation, Page
from watcher.domain.polling_policy import PollingPolicy
from watcher.domain.states import OPENAI_STATES
from watcher.engine.polling.list_scan import Strategy
from watcher.engine.polling.poller import Poller
from watcher.plugins.source import CONCURRENT_REQUESTS, Capabilities
from watcher.sources.http_source import digest
from watcher.store.sql import SqlStore

JOBS = 320
INTERVAL = timedelta(seconds=1)
ROUNDS = 20
TARGET = Target(120, "µs")


class InstantSource:
    """Answers at once; compares with what it said before, as `HttpSource` does."""

    name = "openai"
    capabilities = Capabilities()

    def __init__(self) -> None:
        self.asked = 0
        self._last: dict[str, bytes] = {}

    async def retrieve(self, job_id: str, known: str | None = None) -> Observation | None:  # noqa: ARG002 - as a source
        self.asked += 1
        before, self._last[job_id] = self._last.get(job_id), digest(BODY)
        if before == self._last[job_id]:
            return None
        return Observation(
            JobKey(self.name, job_id), "running", OPENAI_STATES("running"), NOON, JobFacts(), BODY.decode()
        )

    async def page(self, cursor: str | None = None, /, **_: object) -> Page:  # noqa: ARG002 - as a source
        raise AssertionError("its capabilities say that it has none")

    async def events(self, job_id: str, cursor: str | None = None, /) -> object:  # noqa: ARG002 - as a source
        raise AssertionError("its capabilities say that it has none")

    def forget(self, job_id: str) -> None:
        self._last.pop(job_id, None)


def table(rounds: int) -> Table:
    """Measure it with SQLite."""
    costs = [asyncio.run(cost()) for _ in range(rounds)]
    return Table(
        "The rest of a poll",
        ("", "µs", "target", "met"),
        [
            [
                "a poll that finds nothing new, without its request",
                spread(costs),
                *TARGET.judged(sorted(costs)[len(costs) // 2]),
            ]
        ],
        f"{JOBS} jobs are due at once, and found, claimed, compared and rescheduled on SQLite (synchronous=FULL). All"
        " threads count.",
        [verdict("a poll without its request: schedule, compare, record", costs, TARGET)],
    )


async def cost() -> float:
    """Return the microseconds of processor time of a poll."""
    with TemporaryDirectory() as directory:
        async with SqlStore(f"sqlite:///{Path(directory) / 'watcher.db'}") as store:
            clock, source = ManualClock(), InstantSource()
            await store.upsert_jobs([JobSpec(JobKey("openai", f"ftjob-{n}")) for n in range(JOBS)], clock())
            poller = Poller(store, runtime(clock, RecordingLog()), routes=(), wake_delivery=lambda: None)
            policy = PollingPolicy(INTERVAL, INTERVAL, is_adaptive=False)
            state = source_state(source, policy, clock, CONCURRENT_REQUESTS, strategy=Strategy.RETRIEVE)  # type: ignore[arg-type]
            poller.sources.add(state)
            polling = asyncio.create_task(poller.run())
            await _poll_all(poller, source, 1)
            begin = time.process_time()
            for number in range(ROUNDS):
                clock.move(seconds=2)
                await _poll_all(poller, source, number + 2)
            spent = time.process_time() - begin
            polling.cancel()
            with suppress(asyncio.CancelledError):
                await polling
            return spent / (ROUNDS * JOBS) * 1e6


async def _poll_all(poller: Poller, source: InstantSource, times: int) -> None:
    while source.asked < times * JOBS:
        poller.wake()
        await asyncio.sleep(0.002)
