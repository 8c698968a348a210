"""Due jobs → retrieve, or scan the list → decide → record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.domain.conditions import Condition, ConditionChange, Health
from watcher.domain.decision import Decision, PollContext, PollResult, decide
from watcher.domain.jobs import Job, JobKey, Observation, Progress
from watcher.domain.notifications import plan
from watcher.domain.polling_policy import MISSING_TOLERATED, PollFailure, PollOutcome, wants_look
from watcher.domain.routing import Route
from watcher.engine.liveness import Liveness
from watcher.engine.polling.due_jobs import STORE_PATIENCE, DueJobs
from watcher.engine.polling.job_cache import JobCache
from watcher.engine.polling.source_calls import poll, read_events, read_list
from watcher.engine.polling.source_state import SourceState
from watcher.engine.ports import Change, ClaimRequest, Finding, JobStore, Runtime
from watcher.errors import StoreError

STALE_WAITS = 4
"""A job that was not due for this many of the longest waits is polled by another watcher, or was removed."""

IDLE_INTERVAL = timedelta(seconds=30)
"""Stands for the polling interval where there is no source."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What a source said when it was asked for a job's progress; None when that cannot be said."""

    progress: Progress | None


class Poller:
    """Polls what is due, and records what it learns."""

    def __init__(
        self,
        store: JobStore,
        runtime: Runtime,
        *,
        routes: Sequence[Route],
        wake_delivery: Callable[[], None],
        store_patience: timedelta = STORE_PATIENCE,
    ) -> None:
        """`wake_delivery` is called when a recorded event has a recipient."""
        self._store = store
        self._runtime = runtime
        self._log = runtime.log
        self._routes = routes
        self._sources: dict[str, SourceState] = {}
        self._cache = JobCache(store, runtime, wake_delivery=wake_delivery, on_forgotten=self._forget_at_source)
        self._due = DueJobs(store, self._cache, runtime, patience=store_patience)
        self._wake = self._due.on_late_answer
        self.liveness = Liveness()
        self.claiming = asyncio.Lock()
        """Held while due jobs are claimed. Take it to let nothing be claimed here: polls under way go on."""
        self.first_turn = asyncio.Event()
        """Set once the due jobs were looked for."""

    def add_source(self, state: SourceState) -> None:
        """Poll the jobs of a source."""
        self._sources[state.name] = state

    def wake(self) -> None:
        """Look for due jobs now."""
        self._wake.set()

    @property
    def watched(self) -> int:
        """How many jobs are being polled here."""
        return len(self._cache)

    @property
    def longest_wait(self) -> timedelta:
        """The longest regular wait of a job."""
        return max((state.longest_wait for state in self._sources.values()), default=timedelta())

    @property
    def shortest_interval(self) -> timedelta:
        """The shortest polling interval of all sources."""
        return min((state.policy.interval for state in self._sources.values()), default=IDLE_INTERVAL)

    @property
    def longest_poll_interval(self) -> timedelta:
        """The longest time between two answered polls of a job, over all sources."""
        return max((state.policy.longest for state in self._sources.values()), default=IDLE_INTERVAL)

    @property
    def store_recoveries(self) -> int:
        """How often the store was out of reach, and came back."""
        return self._due.recoveries

    def store_error(self) -> StoreError | None:
        """Return why the store cannot be read or written; None while it can."""
        return self._cache.refusal or self._due.store_error

    def stuck(self) -> StoreError | None:
        """Return which changes cannot be recorded although the store can be written; None if there are none."""
        return self._cache.stuck

    def health(self) -> list[Health]:
        """Return how each source has been answering."""
        return [state.health() for state in self._sources.values()]

    def last_answers(self) -> Mapping[str, datetime | None]:
        """Return when each source last answered a poll."""
        return {state.name: state.last_answer for state in self._sources.values()}

    async def run(self) -> None:
        """Poll until cancelled. What was observed is recorded first, polls in flight are dropped."""
        try:
            async with self._cache, asyncio.TaskGroup() as tasks:
                while True:
                    await self._wake.wait()
                    self._wake.clear()
                    async with self.claiming:
                        await self._turn(tasks, self._runtime.clock())
                    self.liveness.turned()
                    self.first_turn.set()
        finally:
            self._due.close()

    async def refresh_durations(self) -> None:
        """Look up how long earlier jobs were in each status, for forecasts."""
        for state in self._sources.values():
            if state.policy.is_adaptive:
                try:
                    state.durations = await self._store.durations(state.name)
                except StoreError as error:
                    self._log.debug("no durations of earlier jobs", source=state.name, error=str(error))

    def forget_stale(self) -> None:
        """Forget jobs that have not been due here for long."""
        self._cache.forget_before(self._runtime.clock() - STALE_WAITS * self.longest_wait)

    def clock_stepped(self, step: timedelta) -> None:
        """Keep what was measured by the host's clock right after the clock was set by `step`."""
        for state in self._sources.values():
            state.clock_stepped(step)

    async def _turn(self, tasks: asyncio.TaskGroup, now: datetime) -> None:
        """Start what may be started, claim what is due, and ask for it."""
        for state in self._sources.values():
            self._start_polls(state, tasks)
        requests = {name: request for name, state in self._sources.items() if (request := state.claim_request(now))}
        claimed = await self._claim(requests, now)
        scans = [
            state
            for name, jobs in claimed.items()
            if (state := self._sources[name]).scan.pays(jobs, requests[name].limit) and not state.breaker.rejection
        ]
        more = await self._claim({state.name: state.claim_request_for_scan(now) for state in scans}, now)
        for state in scans:
            state.note_claimed(0, 1)
            state.scan.is_running = True
            tasks.create_task(self._scan(state, [*claimed.pop(state.name), *more[state.name]], now))
        for name, jobs in claimed.items():
            state = self._sources[name]
            state.note_claimed(len(jobs), requests[name].limit)
            state.enqueue(jobs, now)
            self._start_polls(state, tasks)

    async def _claim(self, requests: Mapping[str, ClaimRequest], now: datetime) -> dict[str, list[Job]]:
        """Claim due jobs of each source, those whose polls are still under way aside."""
        claimed: dict[str, list[Job]] = {name: [] for name in requests}
        longest_waits = {name: self._sources[name].longest_wait for name in requests}
        for job in await self._due.claim(requests, now, longest_waits):
            state = self._sources[job.key.source]
            if not state.claim(job):
                continue
            self._cache.keep(job)
            if state.name in claimed:
                claimed[state.name].append(job)
            else:  # the store was asked for it earlier, and answers only now
                state.enqueue([job], now)
        return claimed

    def _start_polls(self, state: SourceState, tasks: asyncio.TaskGroup) -> None:
        for job, claimed_at in state.start():
            tasks.create_task(self._poll(state, job, claimed_at))

    async def _poll(self, state: SourceState, job: Job, claimed_at: datetime) -> None:
        """Retrieve a job, decide what the answer means, and have that recorded."""
        self.liveness.begun(job.key)
        begun = self._runtime.steady()
        try:
            result = await poll(state.source, job, self._log)
            outcome = result.outcome if isinstance(result, PollFailure) else PollOutcome.ANSWERED
            self._runtime.telemetry.polled(state.name, outcome, self._runtime.steady() - begun)
            self._note_result(state, result)
            look = None if isinstance(result, PollFailure) else await self._look(state, job, result)
            self._apply(state, job, result, claimed_at, look)
        finally:
            self.liveness.ended(job.key)
            if state.finish(job):
                self._wake.set()

    async def _look(self, state: SourceState, job: Job, observation: Observation | None) -> _Look | None:
        """Ask for the job's progress where the policy wants it, but never before a new status is recorded."""
        has_changed = observation is not None and observation.status != job.status
        if has_changed or not wants_look(job, state.policy, self._runtime.clock()):
            return None
        page = await read_events(state.source, job, None, self._log)
        return _Look(None if isinstance(page, PollFailure) else page.progress)

    async def _scan(self, state: SourceState, jobs: Sequence[Job], claimed_at: datetime) -> None:
        """Learn from the list what has not changed; retrieve what may have, and what the list does not hold."""
        try:
            wanted = frozenset(job.key.id for job in jobs if job.status is not None)
            listed = self._note_list(state, await read_list(state.scan, wanted, self._log))
            now = self._runtime.clock()
            for job in jobs:
                if state.scan.settles(job, listed) and not wants_look(job, state.policy, now):
                    self._apply(state, job, None, claimed_at)
                    state.release(job)
                else:
                    state.enqueue([job], claimed_at)
        finally:
            state.scan.is_running = False
            self._wake.set()

    def _apply(
        self, state: SourceState, job: Job, result: PollResult, claimed_at: datetime, look: _Look | None = None
    ) -> None:
        """Decide what a result means, and have it recorded."""
        decision = self._decide(state, job, result, claimed_at, look)
        if decision.is_new:
            findings = self._findings(decision.condition) if decision.condition else ()
            self._cache.put(Change(job.seq, decision.job, decision.transition, decision.recipients, findings))

    def _decide(
        self, state: SourceState, job: Job, result: PollResult, claimed_at: datetime, look: _Look | None
    ) -> Decision:
        jitter, now = self._runtime.jitter(), self._runtime.clock()
        context = PollContext(
            state.policy,
            jitter,
            claimed_at,
            self._routes,
            state.durations,
            has_looked=look is not None,
            progress=look.progress if look else None,
        )
        if isinstance(result, PollFailure):
            self._log_failure(state, job, result)
        try:
            return decide(job, result, context, now)
        except Exception as error:  # noqa: BLE001 - what a service says must never end more than its own poll
            self._log.exception("poll failed with an internal error", job=str(job.key), error=type(error).__name__)
            failure = PollFailure(PollOutcome.FAILED, f"internal error: {type(error).__name__}")
            return decide(job, failure, context, now)

    def _findings(self, condition: Condition) -> tuple[Finding, ...]:
        now = self._runtime.clock()
        return (Finding(condition, now, plan(ConditionChange(condition, 0, now), self._routes, now)),)

    def _note_result(self, state: SourceState, result: PollResult) -> None:
        if state.note_result(result, self._runtime.clock()):
            self._log.info("the source accepts requests again", source=state.name)

    def _note_list(self, state: SourceState, result: Mapping[str, str] | PollFailure) -> Mapping[str, str]:
        """Note the outcome of reading the list; return its statuses."""
        if not isinstance(result, PollFailure):
            self._runtime.telemetry.listed(state.name, len(result))
            self._note_result(state, None)
            return result
        self._log.info("the list cannot be read, retrieving each job", source=state.name, error=result.error)
        self._note_result(state, result)
        if result.outcome is not PollOutcome.FAILED:  # a service without a list says so each time: requests wasted
            state.scan.give_up()
        return {}

    def _log_failure(self, state: SourceState, job: Job, failure: PollFailure) -> None:
        """Log each kind of failure once when it begins, and at debug while it lasts."""
        log, event = self._log.debug, "poll failed"
        if failure.outcome is PollOutcome.REJECTED:
            event = "the source rejects our requests, trying once a minute"
            if state.breaker.trip(failure.error):
                log = self._log.error
        elif failure.outcome is PollOutcome.MISSING and job.missing == MISSING_TOLERATED:
            log, event = self._log.error, "the source does not know the job"
        elif not job.failures:
            log = self._log.warning
        log(event, job=str(job.key), error=failure.error, failures=job.failures + 1, request_id=failure.request_id)

    def _forget_at_source(self, key: JobKey) -> None:
        self._sources[key.source].source.forget(key.id)
