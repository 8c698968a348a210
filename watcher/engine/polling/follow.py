"""One shot: follow a few jobs until they end, without a store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.domain.decision import PollContext, PollResult, decide
from watcher.domain.jobs import Job, JobKey, JobSpec, Progress
from watcher.domain.polling_policy import (
    PollFailure,
    PollingPolicy,
    PollOutcome,
    is_reported_missing,
)
from watcher.domain.states import JobState
from watcher.domain.telemetry import EventPage
from watcher.domain.transitions import Transition, has_reached
from watcher.engine.polling.ending import Ending
from watcher.engine.polling.source_calls import poll
from watcher.engine.polling.telemetry import TelemetryFeed
from watcher.engine.ports import JobSource
from watcher.engine.runtime import Runtime

FirstPolls = Mapping[JobKey, Awaitable[PollResult]]
"""Polls that are under way already, by job."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How often to ask, and how long to watch."""

    policy: PollingPolicy
    until: str | None = None
    """A status to wait for; None: the end of the job."""
    timeout: timedelta | None = None
    give_up_after: timedelta = timedelta(minutes=15)
    """How long nothing but failed polls is tolerated."""
    silent: frozenset[str] = frozenset()
    """The sources that are not asked for events."""


@dataclass(frozen=True, slots=True)
class FollowListener:
    """Called with what happens, while it happens."""

    transition: Callable[[Transition], None]
    poll_failed: Callable[[Job, PollFailure, datetime | None], None]
    """A poll failed; the job's next one is at the time given, or there is none."""
    answered: Callable[[Job, Progress | None], None] = lambda _job, _progress: None
    """A poll was answered: how the job stands now, and how far it has come where the job object says so."""
    told: Callable[[Job, EventPage], None] | None = None
    """The source has told something new of a job. None: it is not asked."""


class Follow:
    """Follows jobs side by side. The first rejection ends it for all of them."""

    def __init__(
        self,
        sources: Mapping[str, JobSource],
        bounds: Bounds,
        listener: FollowListener,
        runtime: Runtime,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sources = sources
        self._bounds = bounds
        self._listener = listener
        self._runtime = runtime
        self._sleep = sleep
        self._feed = TelemetryFeed(listener.told, runtime) if listener.told else None

    async def run(self, specs: Sequence[JobSpec], first: FirstPolls | None = None) -> Mapping[JobKey, Ending]:
        """Watch until every job has ended, or time is up; say how each of them ended."""
        endings: dict[JobKey, Ending] = {}
        first = first or {}
        follows = [asyncio.create_task(self._follow(spec, first.get(spec.key), endings)) for spec in specs]
        try:
            async with asyncio.timeout(self._bounds.timeout.total_seconds() if self._bounds.timeout else None):
                await self._until_all_ended(follows, endings)
        except TimeoutError:
            return {spec.key: endings.get(spec.key, Ending.TIMED_OUT) for spec in specs}
        finally:
            for follow in follows:
                follow.cancel()
            await asyncio.gather(*follows, return_exceptions=True)
        return {spec.key: endings.get(spec.key, Ending.REJECTED) for spec in specs}

    async def _until_all_ended(self, follows: Sequence[asyncio.Task[None]], endings: Mapping[JobKey, Ending]) -> None:
        for follow in asyncio.as_completed(follows):
            await follow
            if Ending.REJECTED in endings.values():
                return

    async def _follow(self, spec: JobSpec, first: Awaitable[PollResult] | None, endings: dict[JobKey, Ending]) -> None:
        job = Job(spec.key, spec.name, spec.labels)
        failing_since: float | None = None
        while True:
            result = await (first or poll(self._sources[job.key.source], job, self._runtime.log))
            first = None
            job, next_at, failure = self._judge(job, result)
            steady = self._runtime.steady()
            failing_since = (steady if failing_since is None else failing_since) if failure else None
            patience = self._patience_left(failing_since, steady)
            ending = self._ending(job, failure, has_failed_too_long=patience is not None and patience <= 0)
            if failure:
                self._listener.poll_failed(job, failure, None if ending else next_at)
            elif self._feed and job.key.source not in self._bounds.silent:
                await self._feed.look(self._sources[job.key.source], job)
            if ending:
                endings[job.key] = ending
                return
            wait = (next_at - self._runtime.clock()).total_seconds()
            await self._sleep(max(wait if patience is None else min(wait, patience), 0.0))

    def _judge(self, job: Job, result: PollResult) -> tuple[Job, datetime, PollFailure | None]:
        """Return the job as it stands after a poll, when to poll next, and the failure if there was one."""
        now = self._runtime.clock()
        context = PollContext(self._bounds.policy, claimed_at=now)
        decision = decide(job._replace(due_at=None), result, context, now, self._runtime.jitter())
        if decision.transition:
            self._listener.transition(decision.transition)
        if isinstance(result, PollFailure):
            return decision.job, decision.due_at or now, result
        self._listener.answered(decision.job, result.progress if result else None)
        return decision.job, decision.due_at or now, None

    def _patience_left(self, failing_since: float | None, steady: float) -> float | None:
        """Return for how many seconds failed polls are still tolerated; None while none has failed."""
        return None if failing_since is None else failing_since + self._bounds.give_up_after.total_seconds() - steady

    def _ending(self, job: Job, failure: PollFailure | None, *, has_failed_too_long: bool) -> Ending | None:
        if failure:
            if failure.outcome is PollOutcome.REJECTED:
                return Ending.REJECTED
            if is_reported_missing(job):
                return Ending.NOT_FOUND
            return Ending.GAVE_UP if has_failed_too_long else None
        if self._bounds.until and has_reached(job, self._bounds.until):
            return Ending.REACHED
        return _ENDINGS.get(job.state) if job.state else None


_ENDINGS: Mapping[JobState, Ending] = {
    JobState.SUCCEEDED: Ending.SUCCEEDED,
    JobState.FAILED: Ending.FAILED,
    JobState.CANCELLED: Ending.CANCELLED,
}
