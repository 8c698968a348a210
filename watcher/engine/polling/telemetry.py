"""What is new of a running job: asked for page by page since the last cursor, recorded in a commit of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from watcher.domain.anomalies import WINDOW, anomaly_of, pace_of
from watcher.domain.conditions import Condition, training_condition
from watcher.domain.forecast import steps_are_done
from watcher.domain.jobs import Job, JobKey, Observation, Progress
from watcher.domain.polling_policy import PollFailure, PollOutcome
from watcher.domain.states import JobState, is_terminal
from watcher.domain.telemetry import EventPage, MetricPoint, Milestone, most_telling, points_of_checkpoints
from watcher.engine.polling.source_calls import read_events
from watcher.engine.ports import JobSource, MetricStore
from watcher.engine.runtime import Runtime
from watcher.errors import StoreError

MOST_PAGES = 10
"""Pages read at one look, each of which is a request; the next look goes on where this one ended."""
LAST_LOOK_PATIENCE = timedelta(seconds=2)
"""How long the end of a job waits for its last points, and for the store to say what is known of it."""
LOOK_LIMIT = timedelta(seconds=5)
"""How long a look may take: the next poll of its job waits for it."""
_SHARE = 60
"""A run is looked at again once it is older by one part in so many."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading of the events of a job came to."""

    progress: Progress | None = None
    """How far the job has come; None when that was not said."""
    requests: int = 0
    failure: PollFailure | None = None
    """What ended it before it had all that is new."""


def ends(job: Job, observation: Observation) -> bool:
    """Tell whether a job that was watched is over, so that the last of its events can be had."""
    return job.state is not None and not is_terminal(job.state) and is_terminal(observation.state)


class TelemetryReader:
    """Reads what is new of jobs, and records their metric points. What goes wrong ends one look, and is logged."""

    def __init__(
        self, store: MetricStore | None, runtime: Runtime, *, patience: timedelta = LAST_LOOK_PATIENCE
    ) -> None:
        """Without a store, one page tells how far a job has come, and nothing is kept."""
        self._store = store
        self._runtime = runtime
        self._patience = patience
        self._told: dict[JobKey, Progress] = {}
        """How far each job had come when that was said last."""
        self._behind: set[JobKey] = set()
        """Jobs of which the last look did not bring all that is new: no step of theirs can be missed."""

    async def read(self, source: JobSource, job: Job, limit: timedelta = LOOK_LIMIT) -> Reading:
        """Read what is new of a job, for so long at most, and record it."""
        try:
            async with asyncio.timeout(limit.total_seconds()):
                reading = await self._read(source, job, limit)
        except TimeoutError:
            return Reading(None, 1, PollFailure(PollOutcome.FAILED, "no events in time"))
        if reading.progress:
            self._told[job.key] = reading.progress
        return reading

    async def condition(self, job: Job) -> Condition | None:
        """Return how a running job trains, good or bad; None where that is not known.

        Whether it is news is for the store to say, which knows what it has recorded.
        """
        if self._store is None:
            return None
        try:
            points = await self._store.last_points(job.key, WINDOW)
        except StoreError as error:
            self._runtime.log.debug("metric points cannot be judged", job=str(job.key), error=str(error))
            return None
        last = max((point.at for point in points), default=None)
        is_pace_known = job.key not in self._behind and not steps_are_done(job, self._told.get(job.key), last)
        return training_condition(
            job, anomaly_of(points, pace_of(points) if is_pace_known else None, self._runtime.clock())
        )

    def forget(self, key: JobKey) -> None:
        """Forget what was said of a job that is polled no more."""
        self._told.pop(key, None)
        self._behind.discard(key)

    async def last_measured(self, job: Job) -> tuple[MetricPoint, ...]:
        """Return what is known of the training of a job. Never takes long: its end is waiting."""
        if self._store is None:
            return ()
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                return most_telling(await self._store.last_points(job.key))
        except (TimeoutError, StoreError) as error:
            self._runtime.log.debug("metric points are not known", job=str(job.key), error=str(error))
            return ()

    async def keep_milestones(self, job: Job, milestones: Sequence[Milestone]) -> None:
        """Record when a job entered states, as its object says."""
        if self._store is None or not milestones:
            return
        try:
            await self._store.record_milestones(job.key, milestones)
        except StoreError as error:
            self._runtime.log.debug("milestones are not recorded", job=str(job.key), error=str(error))

    async def _read(self, source: JobSource, job: Job, limit: timedelta) -> Reading:
        if self._store is None:
            page = await read_events(source, job, None, self._runtime.log)
            return Reading(None, 1, page) if isinstance(page, PollFailure) else Reading(page.progress, 1)
        try:
            return await self._read_since(self._store, source, job, limit)
        except StoreError as error:
            self._runtime.log.debug("metric points are not recorded", job=str(job.key), error=str(error))
            return Reading(None, 1)

    async def _read_since(self, store: MetricStore, source: JobSource, job: Job, limit: timedelta) -> Reading:
        begun_with = cursor = await store.events_cursor(job.key)
        points: list[MetricPoint] = []
        milestones: list[Milestone] = []
        told: list[Progress] = []
        self._behind.add(job.key)
        failure: PollFailure | None = None
        requests, last_begin = 0, self._runtime.steady() + limit.total_seconds() / 2
        while requests < MOST_PAGES and self._runtime.steady() <= last_begin:
            requests += 1
            page = await read_events(source, job, cursor, self._runtime.log)
            if isinstance(page, PollFailure):
                failure = page
                break
            points += [*page.points, *points_of_checkpoints(page.checkpoints)]
            milestones += page.milestones
            told += [page.progress] if page.progress else []
            has_more = page.has_more and page.cursor != cursor
            cursor = page.cursor
            if not has_more:
                self._behind.discard(job.key)
                break
        if milestones:  # before the cursor, so that a crash in between forgets none
            await store.record_milestones(job.key, milestones)
        if points or cursor != begun_with:
            await store.record_points(job.key, points, cursor, self._runtime.clock())
        return Reading(max(told, key=lambda progress: (progress.at, progress.done), default=None), requests, failure)


class TelemetryFeed:
    """Hands on what is new of jobs to whoever looks on. Without a store: it goes on from cursors that it keeps itself.

    A run of hours is looked at less often than one of minutes. What goes wrong ends one look, and nothing else.
    """

    def __init__(
        self, receive: Callable[[Job, EventPage], None], runtime: Runtime, *, limit: timedelta = LOOK_LIMIT
    ) -> None:
        """`limit` is how long a look may take."""
        self._receive = receive
        self._runtime = runtime
        self._limit = limit
        self._cursors: dict[JobKey, str | None] = {}
        self._begun: dict[JobKey, float] = {}
        self._looked: dict[JobKey, float] = {}

    async def look(self, source: JobSource, job: Job) -> None:
        """Read what is new of a job that runs, if it is time for that, and once more when it has ended."""
        if source.capabilities.events and self._is_due(job):
            try:
                async with asyncio.timeout(self._limit.total_seconds()):
                    await self._read(source, job)
            except TimeoutError:
                self._runtime.log.debug("no events in time", job=str(job.key))

    def _is_due(self, job: Job) -> bool:
        if job.state is not JobState.RUNNING:
            return is_terminal(job.state)
        now = self._runtime.steady()
        begun, looked = self._begun.setdefault(job.key, now), self._looked.get(job.key)
        if looked is not None and now - looked < (now - begun) / _SHARE:
            return False
        self._looked[job.key] = now
        return True

    async def _read(self, source: JobSource, job: Job) -> None:
        for _ in range(MOST_PAGES):
            cursor = self._cursors.get(job.key)
            page = await read_events(source, job, cursor, self._runtime.log)
            if isinstance(page, PollFailure):
                return
            self._cursors[job.key] = page.cursor
            self._receive(job, page)
            if not page.has_more or page.cursor == cursor:
                return
