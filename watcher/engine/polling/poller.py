"""Due jobs → retrieve, or read the list → detect → record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from time import monotonic

from watcher.domain.conditions import Health
from watcher.domain.forecast import forecast_from
from watcher.domain.jobs import Forecast, Job, JobKey, Observation, is_terminal
from watcher.domain.polling_policy import PollFailure, PollOutcome, wants_look
from watcher.domain.routing import Route
from watcher.engine.liveness import Liveness
from watcher.engine.polling.job_cache import JobCache
from watcher.engine.polling.learn import Learn
from watcher.engine.polling.source_calls import look, poll, read_list
from watcher.engine.polling.source_state import LISTING_PAYS_FROM, Lane
from watcher.engine.ports import ClaimRequest, JobStore, Runtime
from watcher.errors import StoreError, StoreUnavailableError

STORE_PATIENCE_SECONDS = 1.0
"""How long the record is waited for before polling goes on from memory."""
STALE_WAITS = 4
"""A job not seen due for so many of the longest waits is watched by somebody else, or no more."""


class Poller:
    """Polls what is due, and records what it learns."""

    def __init__(
        self, record: JobStore, runtime: Runtime, *, routes: Sequence[Route], wake_delivery: Callable[[], None]
    ) -> None:
        """`wake_delivery` is called when a recorded transition is owed to somebody."""
        self._store = record
        self._runtime = runtime
        self._log = runtime.log
        self._lanes: dict[str, Lane] = {}
        self._job_cache = JobCache(record, runtime, wake_delivery=wake_delivery, on_forgotten=self._forget_at_source)
        self._learn = Learn(self._job_cache, runtime, routes)
        self._wake = asyncio.Event()
        self._store_error: StoreError | None = None
        self._taking: asyncio.Future[Sequence[Job]] | None = None
        self.recoveries = 0
        """How often the record was out of reach, and came back."""
        self.liveness = Liveness()
        self.first_tick = asyncio.Event()
        """Set once the due jobs were looked for."""

    def add_lane(self, lane: Lane) -> None:
        """Poll the jobs of a source."""
        self._lanes[lane.name] = lane

    def tell_missing(self, listener: Callable[[Job], None]) -> None:
        """Have the listener called when a source has disowned a job too often for it to be just created."""
        self._learn.on_missing = listener

    def wake(self) -> None:
        """Look for due jobs now."""
        self._wake.set()

    @property
    def watched(self) -> int:
        """How many jobs are being polled here."""
        return len(self._job_cache)

    @property
    def longest_wait(self) -> timedelta:
        """The longest time for which a job may rightly not be due."""
        return max((lane.longest_wait for lane in self._lanes.values()), default=timedelta())

    def store_error(self) -> StoreError | None:
        """Say why the record cannot be read or written; None while it can."""
        return self._job_cache.refusal or self._store_error

    def stuck(self) -> StoreError | None:
        """Say which changes cannot be recorded although the record can be written; None if there are none."""
        return self._job_cache.stuck

    def health(self) -> list[Health]:
        """Say how each source has been doing."""
        return [
            Health(lane.name, lane.last_answer, lane.failing_since, lane.error, lane.circuit_breaker.rejection)
            for lane in self._lanes.values()
        ]

    def last_answers(self) -> Mapping[str, datetime | None]:
        """Say when each source last answered a poll."""
        return {lane.name: lane.last_answer for lane in self._lanes.values()}

    async def run(self) -> None:
        """Poll for ever; cancel to stop. What was observed is recorded first, polls under way are dropped."""
        try:
            async with self._job_cache, asyncio.TaskGroup() as work:
                while True:
                    await self._wake.wait()
                    self._wake.clear()
                    now = self._runtime.clock()
                    for lane in self._lanes.values():
                        self._resume(lane, work, now)
                    await self._begin(work, now)
                    self.liveness.turned()
                    self.first_tick.set()
        finally:
            if self._taking:
                self._taking.cancel()

    async def refresh_durations(self) -> None:
        """Look up how long earlier jobs were in each status, for forecasts."""
        for lane in self._lanes.values():
            if lane.polling_policy.is_adaptive:
                try:
                    lane.durations = await self._store.durations(lane.name)
                except StoreError as error:
                    self._log.debug("no durations of earlier jobs", source=lane.name, error=str(error))

    def forget_stale(self) -> None:
        """Forget jobs that have not been due here for long."""
        self._job_cache.forget_before(self._runtime.clock() - STALE_WAITS * self.longest_wait)

    def _resume(self, lane: Lane, work: asyncio.TaskGroup, now: datetime) -> None:
        """Retrieve what was taken, as far as there is room."""
        count = min(lane.room(now), len(lane.waiting))
        for _ in range(count):
            lane.asking += 1
            work.create_task(self._poll(lane, *lane.waiting.popleft()))
        if count:
            lane.circuit_breaker.passed(now)

    async def _begin(self, work: asyncio.TaskGroup, now: datetime) -> None:
        """Take what is due, and ask for it."""
        wanted = {lane.name: take for lane in self._lanes.values() if (take := lane.wants(now))}
        taken = await self._take(wanted, now)
        many = [
            lane
            for name, jobs in taken.items()
            if self._is_for_list(lane := self._lanes[name], jobs, wanted[name].room, now)
        ]
        more = await self._take({lane.name: lane.wants_for_list(now) for lane in many}, now)
        for name, jobs in taken.items():
            lane = self._lanes[name]
            lane.is_behind = len(jobs) == wanted[name].room and lane not in many
            if lane in many:
                lane.is_sweeping = True
                work.create_task(self._sweep(lane, [*jobs, *more[name]], now))
            else:
                lane.waiting.extend((job, now) for job in jobs)
                self._resume(lane, work, now)

    def _is_for_list(self, lane: Lane, due: Sequence[Job], room: int, now: datetime) -> bool:
        """Tell whether to read the list; what was never seen has to be retrieved in any case."""
        seen = sum(job.status is not None for job in due)
        # When as many were due as there was room for, there may be many more.
        enough = min(lane.listing_pays_from(), max(room, LISTING_PAYS_FROM))
        return seen >= enough and lane.may_list(now)

    async def _take(self, wanted: Mapping[str, ClaimRequest], now: datetime) -> dict[str, list[Job]]:
        """Take due jobs of each source, those that are in hand aside."""
        if not wanted:
            return {}
        taken: dict[str, list[Job]] = {name: [] for name in wanted}
        try:
            due = [self._job_cache.latest(job) for job in await self._due_from_store(wanted, now)]
        except StoreError as error:
            self._note_store(error)
            due = self._due_from_cache(wanted, now)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the watching
            self._log.exception("looking for due jobs broke", error=type(error).__name__)
            return taken
        else:
            self._note_store(None)
        for job in due:
            lane = self._lanes[job.key.source]
            if job.key in lane.in_hand:
                continue
            lane.in_hand.add(job.key)
            self._job_cache.keep(job)
            if lane.name in taken:
                taken[lane.name].append(job)
            else:  # it was asked for earlier, and comes only now
                lane.waiting.append((job, now))
        return taken

    async def _due_from_store(self, wanted: Mapping[str, ClaimRequest], now: datetime) -> Sequence[Job]:
        """Take from the record; one that keeps us waiting is not waited for, and what it says is taken later."""
        if self._taking is None:
            self._taking = asyncio.ensure_future(self._store.claim_due(wanted, now))
        await asyncio.wait([self._taking], timeout=STORE_PATIENCE_SECONDS)
        if not self._taking.done():
            self._taking.add_done_callback(lambda _: self._wake.set())
            raise StoreUnavailableError(f"the record does not answer within {STORE_PATIENCE_SECONDS:g} s")
        taking, self._taking = self._taking, None
        return taking.result()

    def _due_from_cache(self, wanted: Mapping[str, ClaimRequest], now: datetime) -> list[Job]:
        return [
            replace(job, due_at=take.next_due)
            for name, take in wanted.items()
            for job in islice(self._job_cache.due(name, now, self._lanes[name].longest_wait), take.room)
        ]

    def _note_store(self, error: StoreError | None) -> None:
        if error and not self._store_error:
            self._log.error("record not readable, polling on from memory", error=str(error))
        if self._store_error and not error:
            self._log.info("record readable again")
            self.recoveries += 1
        self._store_error = error

    async def _poll(self, lane: Lane, job: Job, taken_at: datetime) -> None:
        self.liveness.begun(job.key)
        begun = monotonic()
        try:
            result = await poll(lane.source, job, self._log)
            outcome = result.outcome if isinstance(result, PollFailure) else PollOutcome.ANSWERED
            self._runtime.telemetry.polled(lane.name, outcome, monotonic() - begun)
            self._learn.of_source(lane, result)
            if isinstance(result, PollFailure):
                self._learn.of_trouble(lane, job, result)
            else:
                self._learn.of_job(lane, job, result, taken_at, await self._look(lane, job, result))
        finally:
            self.liveness.ended(job.key)
            lane.in_hand.discard(job.key)
            lane.asking -= 1
            if lane.is_short_of_work():
                self._wake.set()

    async def _look(self, lane: Lane, job: Job, observation: Observation | None) -> Forecast | None:
        """Look at the job's progress, if that is worth it; not before what is news is recorded."""
        has_moved = observation is not None and observation.status != job.status
        if has_moved or not wants_look(job, lane.polling_policy, self._runtime.clock()):
            return None
        progress = await look(lane.source, job, self._log)
        return forecast_from(job, None if isinstance(progress, PollFailure) else progress, self._runtime.clock())

    async def _sweep(self, lane: Lane, jobs: Sequence[Job], taken_at: datetime) -> None:
        """Learn from the list what has not changed; have retrieved what may have, and what it does not hold."""
        try:
            seen = frozenset(job.key.id for job in jobs if job.status is not None)
            listed = await read_list(lane.sweep, seen, self._log)
            if isinstance(listed, PollFailure):
                listed = self._note_no_list(lane, listed)
            else:
                lane.judge_list(len(seen), len(listed), self._runtime.clock())
                self._runtime.telemetry.listed(lane.name, len(listed))
                self._learn.of_source(lane, None)
            for job in jobs:
                if self._is_settled(lane, job, listed.get(job.key.id)):
                    self._learn.of_job(lane, job, None, taken_at)
                    lane.in_hand.discard(job.key)
                else:
                    lane.waiting.append((job, taken_at))
        finally:
            lane.is_sweeping = False
            self._wake.set()

    def _is_settled(self, lane: Lane, job: Job, listed: str | None) -> bool:
        """Tell whether what the list says of a job is enough."""
        if listed is None or listed != job.status or is_terminal(listed):
            return False
        return not lane.sweep.is_to_be_verified(job.key.id) and not wants_look(
            job, lane.polling_policy, self._runtime.clock()
        )

    def _note_no_list(self, lane: Lane, trouble: PollFailure) -> dict[str, str]:
        """Note that the list cannot be read. A service without one says so each time, which would be a request lost."""
        self._log.info("list not read, asking for each job", source=lane.name, error=trouble.error)
        self._learn.of_source(lane, trouble)
        if trouble.outcome is not PollOutcome.FAILED:
            lane.judge_list(wanted=1, found=0, now=self._runtime.clock())
        return {}

    def _forget_at_source(self, key: JobKey) -> None:
        self._lanes[key.source].source.forget(key.id)
