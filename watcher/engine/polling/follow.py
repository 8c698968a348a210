"""One shot: follow a few jobs until they end, without a record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from watcher.domain.jobs import Job, JobKey, JobSpec
from watcher.domain.polling_policy import (
    PollFailure,
    PollingPolicy,
    PollOutcome,
    after_answer,
    after_failure,
    is_reported_missing,
    next_poll,
)
from watcher.domain.states import JobState
from watcher.domain.transitions import Transition, detect, has_reached, moved
from watcher.engine.polling.source_calls import poll
from watcher.engine.ports import JobSource, Runtime


class Ending(StrEnum):
    """How the watching of a job ended."""

    REACHED = "reached"
    """The status asked for came, or was passed on the way to success."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    NOT_FOUND = "not_found"
    GAVE_UP = "gave_up"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How often to ask, and how long to watch."""

    polling_policy: PollingPolicy
    until: str | None = None
    """A status to wait for; None: the end of the job."""
    timeout: timedelta | None = None
    give_up_after: timedelta = timedelta(minutes=15)
    """How long nothing but failed polls is put up with."""


@dataclass(frozen=True, slots=True)
class FollowListener:
    """Who hears what, while it happens."""

    transition: Callable[[Transition], None]
    trouble: Callable[[Job, PollFailure, datetime | None], None]
    """A poll failed; the job's next one is at the time given, or there is none."""


class Follow:
    """Follows jobs side by side. The first rejection ends it for all of them."""

    def __init__(
        self,
        sources: Mapping[str, JobSource],
        bounds: Bounds,
        telling: FollowListener,
        runtime: Runtime,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sources = sources
        self._bounds = bounds
        self._telling = telling
        self._runtime = runtime
        self._sleep = sleep

    async def run(self, specs: Sequence[JobSpec]) -> Mapping[JobKey, Ending]:
        """Watch until every job has ended, or time is up; say how each of them ended."""
        endings: dict[JobKey, Ending] = {}
        follows = [asyncio.create_task(self._follow(spec, endings)) for spec in specs]
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

    async def _follow(self, spec: JobSpec, endings: dict[JobKey, Ending]) -> None:
        job = Job(spec.key, spec.name, spec.labels)
        failing_since: datetime | None = None
        while True:
            job, trouble = await self._look(job)
            now = self._runtime.clock()
            failing_since = (failing_since or now) if trouble else None
            give_up_at = failing_since + self._bounds.give_up_after if failing_since else None
            ending = self._ending(job, trouble, has_failed_too_long=give_up_at is not None and now >= give_up_at)
            next_at = next_poll(job, self._bounds.polling_policy, now, self._runtime.jitter(), trouble) or now
            if trouble:
                self._telling.trouble(job, trouble, None if ending else next_at)
            if ending:
                endings[job.key] = ending
                return
            await self._sleep((min(next_at, give_up_at or next_at) - now).total_seconds())

    async def _look(self, job: Job) -> tuple[Job, PollFailure | None]:
        result = await poll(self._sources[job.key.source], job, self._runtime.log)
        if isinstance(result, PollFailure):
            return after_failure(job, result), result
        transition = detect(job, result) if result else None
        if transition is None:
            return after_answer(job), None
        self._telling.transition(transition)
        return moved(after_answer(job), transition), None

    def _ending(self, job: Job, trouble: PollFailure | None, *, has_failed_too_long: bool) -> Ending | None:
        if trouble:
            if trouble.outcome is PollOutcome.REJECTED:
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
