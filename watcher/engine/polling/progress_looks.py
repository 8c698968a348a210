"""Looks at how far running jobs have come: when they are worth a request, and what they tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from watcher.domain.conditions import Condition
from watcher.domain.durations import format_duration
from watcher.domain.jobs import Job, JobKey, Observation, Progress
from watcher.domain.polling_policy import wants_look
from watcher.domain.states import JobState
from watcher.domain.telemetry import MetricPoint
from watcher.engine.polling.source_state import SourceState
from watcher.engine.polling.telemetry import LAST_LOOK_PATIENCE, Reading, TelemetryReader, ends
from watcher.engine.progress_audience import ProgressAudience
from watcher.engine.runtime import Runtime

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Look:
    """What a source said when it was asked for a job's progress; None when that cannot be said."""

    progress: Progress | None
    measured: tuple[MetricPoint, ...] = ()
    """What is known of the training of a job that has succeeded."""
    condition: Condition | None = None
    """How it trains, where somebody wants to hear of that."""


class Looks:
    """Asks for the progress of jobs: for the record, for forecasts, and for those who are shown it.

    Polls come first: a look that its source does not allow now waits for a later poll of its job.
    """

    def __init__(
        self, telemetry: TelemetryReader, audience: ProgressAudience, runtime: Runtime, *, judges_metrics: bool
    ) -> None:
        """`judges_metrics` says whether anybody wants to hear how jobs train."""
        self._telemetry = telemetry
        self._audience = audience
        self._runtime = runtime
        self._judges_metrics = judges_metrics
        self._looked: dict[JobKey, datetime] = {}
        """When each job was looked at for the record. Most forecasts say so too, and outlive a restart."""
        self._granted: set[JobKey] = set()
        """Jobs whose look is allowed, and has not been made yet."""

    def wanted(self, state: SourceState, jobs: Iterable[Job]) -> list[Job]:
        """Return the jobs that are worth a look, of those of which a list has said that nothing else is new."""
        if not state.policy.looks_at_progress or not state.looks.available():
            return []
        return [job for job in jobs if self._is_due(state, job) or self._is_shown(state, job)]

    def grant(self, state: SourceState, wanted: Iterable[Job]) -> set[JobKey]:
        """Allow as many looks as the source does; return the jobs. Those that were looked at longest ago come first."""
        by_age = sorted(wanted, key=lambda job: self._looked.get(job.key, _NEVER))
        granted = {job.key for job in takewhile(lambda _job: state.looks.take(), by_age)}
        self._granted |= granted
        return granted

    def end_grant(self, key: JobKey) -> None:
        """Note that the poll of a job has ended, whether it was looked at or not."""
        self._granted.discard(key)

    def forget(self, key: JobKey) -> None:
        """Forget a job that is polled no more."""
        self._looked.pop(key, None)
        self._telemetry.forget(key)

    async def look(self, state: SourceState, job: Job, observation: Observation | None) -> Look | None:
        """Ask for the job's progress where it is wanted. A new status does not wait for that.

        Only a success waits, shortly, for what was measured of the job. None: nothing that a decision needs.
        """
        if observation is not None and observation.status != job.status:
            self._audience.forget(job.key)
            if observation.state is not JobState.SUCCEEDED or not self._is_last(state, job, observation):
                return None
            await self._read_last(state, job, LAST_LOOK_PATIENCE)
            return Look(None, await self._telemetry.last_measured(job))
        if observation is not None and observation.progress is not None:
            self._audience.show(job, observation.progress)
        is_due = self._is_due(state, job)
        if not (is_due or self._is_shown(state, job)) or not self._may_look(state, job.key):
            return None
        self._audience.note_asked(job.key)
        progress = self._noted(state, await self._telemetry.read(state.source, job, state.looks.limit)).progress
        if progress is not None:
            self._audience.show(job, progress)
        if not is_due:  # each forecast is recorded, so there are few
            return None
        self._looked[job.key] = self._runtime.clock()
        return Look(progress, condition=await self._telemetry.condition(job) if self._judges_metrics else None)

    async def look_back(self, state: SourceState, job: Job, observation: Observation, look: Look | None) -> None:
        """Read the last points of a job that has ended, where that was not done before its end was told."""
        if self._is_last(state, job, observation) and not (look and look.measured):
            await self._read_last(state, job, state.looks.limit)

    async def _read_last(self, state: SourceState, job: Job, limit: timedelta) -> None:
        if state.looks.take_last():
            self._noted(state, await self._telemetry.read(state.source, job, limit))

    def _may_look(self, state: SourceState, key: JobKey) -> bool:
        return key in self._granted or state.looks.take()

    def _noted(self, state: SourceState, reading: Reading) -> Reading:
        """Note what a look came to; say where the source refuses looks, which is no trouble of its polls."""
        pause = state.looks.note(reading.requests, reading.failure)
        if pause and reading.failure:
            self._runtime.log.warning(
                "the source refuses events, so progress and losses are not known; progress = false spares the requests",
                source=state.name,
                error=reading.failure.error,
                next_look_in=format_duration(pause),
            )
        return reading

    def _is_last(self, state: SourceState, job: Job, observation: Observation) -> bool:
        """Tell whether this is the last poll of a job of which more may be read."""
        return state.policy.looks_at_progress and ends(job, observation)

    def _is_due(self, state: SourceState, job: Job) -> bool:
        now, looked_at = self._runtime.clock(), self._looked.get(job.key)
        return wants_look(job, state.policy, now, looked_at, is_judged=self._judges_metrics)

    def _is_shown(self, state: SourceState, job: Job) -> bool:
        """Tell whether a look is worth its request for those who are shown the progress."""
        is_running = state.policy.looks_at_progress and job.state is JobState.RUNNING
        return is_running and self._audience.wants(job.key)
