"""Due jobs → retrieve, or scan the list → decide → record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from types import MappingProxyType

from watcher.domain.conditions import SHORTEST_STAY, Condition, ConditionChange
from watcher.domain.decision import Decision, PollContext, PollResult, decide
from watcher.domain.jobs import Job, JobKey, Observation
from watcher.domain.notifications import plan, plan_end
from watcher.domain.polling_policy import PollFailure, PollOutcome
from watcher.domain.routing import Events, Route
from watcher.domain.slices import slices
from watcher.domain.states import is_terminal
from watcher.domain.transitions import Transition
from watcher.engine.liveness import Liveness
from watcher.engine.polling.discovery import Discovery
from watcher.engine.polling.due_jobs import STORE_PATIENCE, DueJobs
from watcher.engine.polling.failure_log import log_poll_failure, log_scan_failure
from watcher.engine.polling.job_cache import JobCache
from watcher.engine.polling.progress_looks import Look, Looks
from watcher.engine.polling.source_calls import discover, poll, read_list
from watcher.engine.polling.source_state import SourceState
from watcher.engine.polling.sources import Sources
from watcher.engine.polling.telemetry import TelemetryReader, ends
from watcher.engine.polling.wake_ups import WakeUps
from watcher.engine.ports import Change, ClaimRequest, Finding, JobStore, MetricStore
from watcher.engine.progress_audience import NOBODY, ProgressAudience
from watcher.engine.runtime import Runtime
from watcher.errors import StoreError

STALE_WAITS = 4
"""A job that was not due for this many of the longest waits is polled by another watcher, or was removed."""
START_PAUSE_SECONDS = 0.02
"""Between the starts of polls that are likely to bring news."""


class Poller:
    """Polls what is due, and records what it learns."""

    def __init__(  # noqa: PLR0913 - what it reads, what it records, and what it wakes
        self,
        store: JobStore,
        runtime: Runtime,
        *,
        routes: Sequence[Route],
        wake_delivery: Callable[[], None],
        metrics: MetricStore | None = None,
        audience: ProgressAudience = NOBODY,
        store_patience: timedelta = STORE_PATIENCE,
        stuck_after: Mapping[str, timedelta] = MappingProxyType({}),
    ) -> None:
        """`wake_delivery` is called when a recorded event has a recipient; `metrics` keeps what jobs measure.

        `audience` is shown how far jobs have come. `stuck_after` says how long a job may stay in a status.
        """
        self._store = store
        self._runtime = runtime
        self._log = runtime.log
        self._routes = routes
        self._shortest_stay = min((SHORTEST_STAY, *stuck_after.values()))
        self.sources = Sources()
        self._cache = JobCache(store, runtime, wake_delivery=wake_delivery, on_forgotten=self._forget)
        self._due = DueJobs(store, self._cache, runtime, patience=store_patience)
        self._telemetry = TelemetryReader(metrics, runtime)
        judges_metrics = any(Events.METRICS in route.events for route in routes)
        self._looks = Looks(self._telemetry, audience, runtime, judges_metrics=judges_metrics)
        self._wake = self._due.on_late_answer
        self._spreading: set[str] = set()
        """The sources whose polls are being started part by part."""
        self.wake_ups = WakeUps(store, self.sources, runtime, wake=self.wake)
        """Takes what services tell by themselves."""
        self.liveness = Liveness()
        self.claiming = asyncio.Lock()
        """Held while due jobs are claimed. Take it to let nothing be claimed here: polls under way go on."""
        self.first_turn = asyncio.Event()
        """Set once the due jobs were looked for."""

    def _forget(self, key: JobKey) -> None:
        self.sources[key.source].source.forget(key.id)
        self._looks.forget(key)

    def wake(self) -> None:
        """Look for due jobs now."""
        self._wake.set()

    @property
    def watched(self) -> int:
        """How many jobs are being polled here."""
        return len(self._cache)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being asked for, and all that was found is recorded."""
        return self._cache.is_recorded and all(state.is_idle for state in self.sources)

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

    def forget_stale(self) -> None:
        """Forget jobs that have not been due here for long."""
        self._cache.forget_before(self._runtime.clock() - STALE_WAITS * self.sources.longest_wait)

    async def _turn(self, tasks: asyncio.TaskGroup, now: datetime) -> None:
        """Start what may be started, claim what is due, and ask for it."""
        for state in self.sources:
            self._start_polls(state, tasks)
        looking = [state for state in self.sources if state.is_discovery_due]
        requests = {state.name: request for state in self.sources if (request := state.claim_request(now))}
        claimed = await self._claim(requests, now)
        scans = [
            state
            for name, jobs in claimed.items()
            if (state := self.sources[name]).scan.pays(jobs, requests[name].limit) and not state.breaker.rejection
        ]
        for state in scans:
            jobs = [*claimed.pop(state.name), *await self._claim_rest(state, now)]
            state.note_claimed(0, 1)
            state.scan.is_running = True
            tasks.create_task(self._scan(state, jobs, now))
        for name, jobs in claimed.items():
            state = self.sources[name]
            state.note_claimed(len(jobs), requests[name].limit)
            state.enqueue(jobs, now)
            self._start_polls(state, tasks)
        for state in looking:
            if discovery := state.start_discovery():
                tasks.create_task(self._discover(state, discovery))

    async def _claim(self, requests: Mapping[str, ClaimRequest], now: datetime) -> dict[str, list[Job]]:
        """Claim due jobs of each source, those whose polls are still under way aside."""
        claimed: dict[str, list[Job]] = {name: [] for name in requests}
        longest_waits = {name: self.sources[name].longest_wait for name in requests}
        due = await self._due.claim(requests, now, longest_waits)
        for name, jobs in groupby(due, key=lambda job: job.key.source):
            state = self.sources[name]
            mine = state.claim(jobs)
            self._cache.keep(mine)
            if name in claimed:
                claimed[name] += mine
            else:  # the store was asked for them earlier, and answers only now
                state.enqueue(mine, now)
        return claimed

    async def _claim_rest(self, state: SourceState, now: datetime) -> list[Job]:
        """Claim what else a scan looks after, part by part, so that nothing waits long for the store."""
        jobs: list[Job] = []
        request = state.claim_request_for_scan(now, is_rest=True)
        while len(jobs) < state.most_listed:
            part = (await self._claim({state.name: request}, now))[state.name]
            jobs += part
            if len(part) * 2 < request.limit:  # some of it may be under way still
                break
        return jobs

    def _start_polls(self, state: SourceState, tasks: asyncio.TaskGroup) -> None:
        if state.name in self._spreading:
            return
        self._start_some(state, tasks)
        if state.can_start:
            self._spreading.add(state.name)
            tasks.create_task(self._spread(state, tasks))

    def _start_some(self, state: SourceState, tasks: asyncio.TaskGroup) -> None:
        for job, claimed_at in state.start():
            tasks.create_task(self._poll(state, job, claimed_at))

    async def _spread(self, state: SourceState, tasks: asyncio.TaskGroup) -> None:
        """Start what is held back, part by part."""
        while state.can_start:
            await asyncio.sleep(START_PAUSE_SECONDS)
            self._start_some(state, tasks)
        self._spreading.discard(state.name)
        self._wake.set()

    async def _poll(self, state: SourceState, job: Job, claimed_at: datetime) -> None:
        """Retrieve a job, decide what the answer means, and have that recorded."""
        self.liveness.begun(job.key)
        begun = self._runtime.steady()
        try:
            result = await poll(state.source, job, self._log)
            outcome = result.outcome if isinstance(result, PollFailure) else PollOutcome.ANSWERED
            self._runtime.telemetry.polled(state.name, outcome, self._runtime.steady() - begun)
            self._note_result(state, result)
            look = None if isinstance(result, PollFailure) else await self._looks.look(state, job, result)
            context = self._context(state, claimed_at, look)
            is_news = self._apply(state, job, result, context, look.condition if look else None)
            state.note_poll(is_news=is_news)
            if isinstance(result, Observation) and ends(job, result):
                state.note_end(job.key, self._runtime.clock())
            # The news is on its way already: none of this delays it.
            if isinstance(result, Observation) and result.status != job.status:
                await self._telemetry.keep_milestones(job, result.milestones)
                await self._looks.look_back(state, job, result, look)
        finally:
            self.liveness.ended(job.key)
            self._looks.end_grant(job.key)
            if state.finish(job) | self._ask_again(state, job) and state.name not in self._spreading:
                self._wake.set()

    def _ask_again(self, state: SourceState, job: Job) -> bool:
        """Have a job retrieved once more where a webhook came meanwhile; return whether it is to be."""
        latest = self._cache.latest(job)
        is_wanted = state.is_told_anew(job.key) and not is_terminal(latest.state)
        if is_wanted and state.claim([latest]):
            state.enqueue([latest], self._runtime.clock())
        return is_wanted

    async def _scan(self, state: SourceState, jobs: Sequence[Job], claimed_at: datetime) -> None:
        """Learn from the list what has not changed; retrieve what may have, and what the list does not hold."""
        try:
            wanted = frozenset(job.key.id for job in jobs if job.status is not None)
            listed = self._note_list(state, await read_list(state.scan, wanted, self._log))
            settled, worth_a_look = set[JobKey](), list[Job]()
            for part in slices(jobs, state.judged_at_once):
                unchanged = [job for job in part if state.scan.settles(job, listed)]
                settled.update(job.key for job in unchanged)
                worth_a_look += self._looks.wanted(state, unchanged)
                await asyncio.sleep(0)
            settled -= self._looks.grant(state, worth_a_look)
            context = self._context(state, claimed_at)
            for part in slices(jobs, state.judged_at_once):
                for job in part:
                    if job.key in settled:
                        self._apply(state, job, None, context)
                        state.release(job)
                    else:
                        state.enqueue([job], claimed_at)
                await asyncio.sleep(0)
        finally:
            state.scan.is_running = False
            self._wake.set()

    async def _discover(self, state: SourceState, discovery: Discovery) -> None:
        """Have new jobs watched that rules adopt."""
        try:
            result = await discover(discovery, self._log)
            failure = result if isinstance(result, PollFailure) else None
            if failure:
                log_scan_failure(self._log, state.breaker, state.name, failure, is_first=state.error is None)
            self._note_result(state, failure)
        finally:
            discovery.is_running = False
            self._wake.set()

    def _apply(
        self, state: SourceState, job: Job, result: PollResult, context: PollContext, trained: Condition | None = None
    ) -> bool:
        """Decide what a result means, and have it recorded; return whether it is news for notifiers.

        `trained` is how the job trains, where a look has found that.
        """
        decision = self._decide(state, job, result, context)
        found = (*decision.conditions, trained) if trained else decision.conditions
        if not (decision.is_new or found):
            return False
        findings = tuple(self._finding(each, decision.transition) for each in found)
        self._cache.put(Change(job.seq, decision.job, decision.transition, decision.recipients, findings))
        return bool(decision.recipients)

    def _context(self, state: SourceState, claimed_at: datetime, look: Look | None = None) -> PollContext:
        return PollContext(
            state.policy,
            claimed_at,
            routes=self._routes,
            usual_stays=state.usual_stays,
            has_looked=look is not None,
            progress=look.progress if look else None,
            measured=look.measured if look else (),
            shortest_stay=self._shortest_stay,
        )

    def _decide(self, state: SourceState, job: Job, result: PollResult, context: PollContext) -> Decision:
        now, jitter = self._runtime.clock(), self._runtime.jitter()
        if isinstance(result, PollFailure):
            log_poll_failure(self._log, state.breaker, job, result)
        try:
            return decide(job, result, context, now, jitter)
        except Exception as error:  # noqa: BLE001 - what a service says must never end more than its own poll
            self._log.exception("poll failed with an internal error", job=str(job.key), error=type(error).__name__)
            failure = PollFailure(PollOutcome.FAILED, f"internal error: {type(error).__name__}")
            return decide(job, failure, context, now, jitter)

    def _finding(self, condition: Condition, transition: Transition | None) -> Finding:
        now = self._runtime.clock()
        change = ConditionChange(condition, 0, now)
        if condition.is_good:
            return Finding(condition, now, plan_end(change, transition, self._routes, now))
        return Finding(condition, now, plan(change, self._routes, now))

    def _note_result(self, state: SourceState, result: PollResult) -> None:
        if state.note_result(result, self._runtime.clock()):
            self._log.info("the source accepts requests again", source=state.name)

    def _note_list(self, state: SourceState, result: Mapping[str, str] | PollFailure) -> Mapping[str, str]:
        """Note the outcome of reading the list; return its statuses."""
        if not isinstance(result, PollFailure):
            self._runtime.telemetry.listed(state.name, len(result))
            self._note_result(state, None)
            if state.discovery:
                state.discovery.offer(state.scan.top)
            return result
        self._log.info("the list cannot be read, retrieving each job", source=state.name, error=result.error)
        self._note_result(state, result)
        if result.outcome is not PollOutcome.FAILED:  # a service without a list says so each time: requests wasted
            state.scan.give_up()
        return {}
