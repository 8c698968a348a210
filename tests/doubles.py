"""Stand-ins for the ports, once each: a clock that is moved, a source and a notifier that follow a script, a log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from watcher.domain.deliveries import Delivered, Delivery, Outcome
from watcher.domain.jobs import NO_METADATA, Job, JobFacts, JobKey, ListedJob, Observation, Page, Progress
from watcher.domain.messages import Message
from watcher.domain.notifications import Planned
from watcher.domain.polling_policy import PollingPolicy
from watcher.domain.states import OPENAI_STATES, JobState
from watcher.domain.telemetry import EventPage, MetricPoint, Milestone
from watcher.domain.transitions import Reason, Transition
from watcher.engine.polling.circuit_breaker import CircuitBreaker
from watcher.engine.polling.list_scan import ListScan, Strategy
from watcher.engine.polling.look_allowance import LookAllowance
from watcher.engine.polling.poller import Poller
from watcher.engine.polling.rate_limit import RateLimit
from watcher.engine.polling.request_rate import RequestRate
from watcher.engine.polling.source_state import SourceState
from watcher.engine.ports import Change, ClaimRequest, JobSource, JobStore
from watcher.engine.runtime import Runtime
from watcher.errors import StoreError
from watcher.http import Pacer
from watcher.plugins.source import Capabilities, ListOrder

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = JobKey("openai", "ftjob-1")


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def move(self, **duration: float) -> datetime:
        """Move on by the duration, in the words of timedelta."""
        self.at += timedelta(**duration)
        return self.at


@dataclass
class RecordingLog:
    """Keeps what was logged, as (level, event, facts)."""

    lines: list[tuple[str, str, Mapping[str, object]]] = field(default_factory=list)

    def debug(self, event: str, **facts: object) -> None:
        self.lines.append(("debug", event, facts))

    def info(self, event: str, **facts: object) -> None:
        self.lines.append(("info", event, facts))

    def warning(self, event: str, **facts: object) -> None:
        self.lines.append(("warning", event, facts))

    def error(self, event: str, **facts: object) -> None:
        self.lines.append(("error", event, facts))

    def exception(self, event: str, **facts: object) -> None:
        self.lines.append(("exception", event, facts))

    def events(self, level: str) -> list[str]:
        """Name what was logged at a level."""
        return [event for at, event, _ in self.lines if at == level]


class ScriptedSource:
    """Answers each retrieve of a job with the next entry of its script; the last one repeats."""

    def __init__(self, clock: Callable[[], datetime], script: Mapping[str, Iterable[str | Exception]]) -> None:
        self.clock = clock
        self.script = {job_id: list(entries) for job_id, entries in script.items()}
        self.listed: list[str] = list(self.script)
        """What the list holds, in its order."""
        self.described: dict[str, ListedJob] = {}
        """What the list says of jobs besides their status."""
        self.page_size = 100
        self.list_trouble: Exception | None = None
        self.progress_of: dict[str, Progress | Exception] = {}
        self.points_of: dict[str, tuple[MetricPoint, ...]] = {}
        self.milestones_of: dict[str, tuple[Milestone, ...]] = {}
        """What the object of a job says of when it entered states."""
        self.asked: list[str] = []
        self.pages_asked: list[str | None] = []
        self.looked_at: list[str] = []
        self.forgotten: list[str] = []
        self.capabilities = Capabilities(order=ListOrder.NEWEST_FIRST, events=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        pass

    async def retrieve(self, job_id: str, known: str | None = None) -> Observation | None:
        self.asked.append(job_id)
        entries = self.script[job_id]
        entry = entries.pop(0) if len(entries) > 1 else entries[0]
        await asyncio.sleep(0)
        if isinstance(entry, Exception):
            raise entry
        if entry == known:
            return None
        seen = observation(entry, self.clock(), JobKey("openai", job_id))
        return replace(seen, milestones=self.milestones_of.get(job_id, ()))

    async def page(self, cursor: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        """Give the page of the list after an id: each job with the status that its next retrieve says."""
        self.pages_asked.append(cursor)
        await asyncio.sleep(0)
        if self.list_trouble:
            raise self.list_trouble
        listed = [job_id for job_id in self.listed if self._description(job_id).metadata.items() >= metadata.items()]
        begin = listed.index(cursor) + 1 if cursor else 0
        ids = listed[begin : begin + self.page_size]
        jobs = {
            job_id: self._description(job_id)._replace(status=word)
            for job_id in ids
            if isinstance(word := self.script[job_id][0], str)
        }
        is_last = begin + self.page_size >= len(listed)
        return Page(jobs, None if is_last else ids[-1])

    def _description(self, job_id: str) -> ListedJob:
        return self.described.get(job_id, ListedJob(""))

    async def events(self, job_id: str, cursor: str | None = None, /) -> EventPage:
        self.looked_at.append(job_id)
        entry = self.progress_of.get(job_id)
        if isinstance(entry, Exception):
            raise entry
        return EventPage(points=self.points_of.get(job_id, ()), progress=entry, cursor=cursor)

    def forget(self, job_id: str) -> None:
        self.forgotten.append(job_id)


class ScriptedNotifier:
    """Answers each message with the next outcome of its script; after that everything is delivered."""

    def __init__(self, outcomes: Iterable[Outcome | BaseException] = (), concurrency: int = 16) -> None:
        self.concurrency = concurrency
        self.outcomes = list(outcomes)
        self.received: list[Message] = []
        self.receipts: list[str | None] = []
        """The receipts that came with them."""

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:
        self.receipts.append(previous_receipt)
        self.received.append(message)
        await asyncio.sleep(0)
        outcome = self.outcomes.pop(0) if self.outcomes else Delivered()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


class HangingNotifier:
    """Never comes to an end, until it is let go."""

    def __init__(self, concurrency: int = 16) -> None:
        self.concurrency = concurrency
        self.received: list[Message] = []
        self.receipts: list[str | None] = []
        """The receipts that came with them."""
        self.let_go = asyncio.Event()

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:
        self.receipts.append(previous_receipt)
        self.received.append(message)
        await self.let_go.wait()
        return Delivered()


class FaultyStore:
    """A real store whose claims and commits can be watched, and made to fail or to wait."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self.before_claim: Callable[[], Awaitable[None]] | None = None
        """Called before each claim; what it raises is what the store raises."""
        self.before_record: Callable[[Sequence[Change]], Awaitable[None]] | None = None
        """Called before each commit with its changes."""
        self.known_durations: Mapping[str, Sequence[timedelta]] | StoreError | None = None
        """What the store says of earlier jobs, or raises; None: what it holds."""
        self.recorded: list[Change] = []
        self.claimed: list[JobKey] = []

    async def claim_due(self, requests: Mapping[str, ClaimRequest], now: datetime) -> Sequence[Job]:
        if self.before_claim:
            await self.before_claim()
        jobs = await self._store.claim_due(requests, now)
        self.claimed += [job.key for job in jobs]
        return jobs

    async def make_due(self, key: JobKey, now: datetime) -> bool:
        return await self._store.make_due(key, now)

    async def durations(self, source: str) -> Mapping[str, Sequence[timedelta]]:
        if isinstance(self.known_durations, StoreError):
            raise self.known_durations
        return await self._store.durations(source) if self.known_durations is None else self.known_durations

    async def record(self, changes: Sequence[Change]) -> Collection[JobKey]:
        if self.before_record:
            await self.before_record(changes)
        self.recorded += changes
        return await self._store.record(changes)


def runtime(clock: Callable[[], datetime], log: RecordingLog | None = None, retry_seconds: float = 0.01) -> Runtime:
    """Return a runtime without chance, whose steady clock follows the clock given."""
    return Runtime(
        clock,
        lambda: 0.0,
        log or RecordingLog(),
        commit_retry_seconds=retry_seconds,
        steady=lambda: clock().timestamp(),
    )


def source_state(
    source: JobSource,
    policy: PollingPolicy,
    clock: Callable[[], datetime],
    concurrency: int = 8,
    *,
    name: str = "openai",
    strategy: Strategy = Strategy.AUTO,
    rate_limit: RateLimit | None = None,
) -> SourceState:
    """Return the state of a source, whose steady clock follows the clock given."""

    def steady() -> float:
        return clock().timestamp()

    scan = ListScan(source, strategy=strategy, interval=policy.interval, steady=steady)
    looks = LookAllowance(rate_limit.requests_per_minute if rate_limit else None, steady)
    requests = RequestRate(rate_limit.wait if rate_limit else None, steady)
    return SourceState(name, source, policy, concurrency, scan, CircuitBreaker(steady), looks, requests, rate_limit)


def observation(status: str, at: datetime = START, key: JobKey = KEY, facts: JobFacts | None = None) -> Observation:
    """Return what a retrieve says of a job in this status."""
    document = f'{{"id": "{key.id}", "object": "fine_tuning.job", "status": "{status}"}}'
    return Observation(key, status, OPENAI_STATES(status), at, facts or JobFacts(), document)


def job_in(status: str | None, **attributes: object) -> Job:
    """Return a watched job in this status."""
    return Job(KEY, status=status, state=OPENAI_STATES(status) if status else None, **attributes)  # type: ignore[arg-type]


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Let the loop run until the condition holds; fail when it does not come to hold."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def polling(poller: Poller) -> AsyncIterator[None]:
    """Let a poller run; at the end it records what was observed, and drops polls in flight."""
    task = asyncio.create_task(poller.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def statuses_on(page: Page) -> dict[str, str]:
    """Return the status of each job on a page of a list."""
    return {job_id: job.status for job_id, job in page.jobs.items()}


def transition_of(delivery: Delivery) -> Transition:
    """Return the event of a delivery, which is a transition."""
    assert isinstance(delivery.event, Transition)
    return delivery.event


def planned(*notifiers: str) -> tuple[Planned, ...]:
    """Plan an event for these notifiers, at once."""
    return tuple(map(Planned, notifiers))


def a_transition(**changes: Any) -> Transition:
    """Return a transition from running to succeeded, with the changes given."""
    usual = Transition(
        key=JobKey("openai", "ftjob-abc123"),
        name="support-bot v3",
        labels={"team": "nlp"},
        seq=1_795_521_600,
        previous_status="running",
        previous_state=JobState.RUNNING,
        status="succeeded",
        state=JobState.SUCCEEDED,
        reason=Reason.ADVANCED,
        skipped=(),
        observed_at=START,
        previous_since=START - timedelta(minutes=41),
        facts=JobFacts(
            model="gpt-4o-mini-2024-07-18",
            fine_tuned_model="ft:gpt-4o-mini-2024-07-18:my-org::AbC",
            created_at=START - timedelta(hours=1),
            finished_at=START,
            trained_tokens=1_234_567,
        ),
        document='{"id":"ftjob-abc123","status":"succeeded","hyperparameters":{"n_epochs":3},"seed":7}',
    )
    for status, state in (("status", "state"), ("previous_status", "previous_state")):
        if status in changes:
            changes.setdefault(state, OPENAI_STATES(changes[status]) if changes[status] else None)
    return replace(usual, **changes)


class NoPacer(Pacer):
    """A pacer that never waits: pacing has its own tests."""

    async def turn(self, address: str, spacing: timedelta) -> None:
        """Return at once."""
