"""Looks at how far running jobs have come: when they are worth a request, and what they tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from watcher.domain.conditions import Condition
from watcher.domain.jobs import Job, JobKey, Observation, Progress
from watcher.domain.polling_policy import wants_look
from watcher.domain.states import JobState
from watcher.domain.telemetry import MetricPoint
from watcher.engine.polling.source_state import SourceState
from watcher.engine.polling.telemetry import TelemetryReader, ends
from watcher.engine.ports import Runtime
from watcher.engine.progress_audience import ProgressAudience


@dataclass(frozen=True, slots=True)
class Look:
    """What a source said when it was asked for a job's progress; None when that cannot be said."""

    progress: Progress | None
    measured: tuple[MetricPoint, ...] = ()
    """What is known of the training of a job that has succeeded."""
    condition: Condition | None = None
    """How it trains, where somebody wants to hear of that."""


class Looks:
    """Asks for the progress of jobs: for the record, for forecasts, and for those who are shown it."""

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

    def wanted(self, state: SourceState, job: Job) -> bool:
        """Tell whether a job is to be looked at now."""
        return self._is_due(state, job) or self._is_shown(state, job)

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
            if observation.state is not JobState.SUCCEEDED or not self.is_last(state, job, observation):
                return None
            return Look(None, await self._telemetry.last_measured(state.source, job))
        if observation is not None and observation.progress is not None:
            self._audience.show(job, observation.progress)
        is_due = self._is_due(state, job)
        if not is_due and not self._is_shown(state, job):
            return None
        self._audience.note_asked(job.key)
        progress = await self._telemetry.read(state.source, job)
        if progress is not None:
            self._audience.show(job, progress)
        if not is_due:  # each forecast is recorded, so there are few
            return None
        self._looked[job.key] = self._runtime.clock()
        return Look(progress, condition=await self._telemetry.condition(job) if self._judges_metrics else None)

    def is_last(self, state: SourceState, job: Job, observation: Observation | None) -> bool:
        """Tell whether this is the last poll of a job of which more may be read."""
        return state.policy.looks_at_progress and observation is not None and ends(job, observation)

    def _is_due(self, state: SourceState, job: Job) -> bool:
        now, looked_at = self._runtime.clock(), self._looked.get(job.key)
        return wants_look(job, state.policy, now, looked_at, is_judged=self._judges_metrics)

    def _is_shown(self, state: SourceState, job: Job) -> bool:
        """Tell whether a look is worth its request for those who are shown the progress."""
        is_running = state.policy.looks_at_progress and job.state is JobState.RUNNING
        return is_running and self._audience.wants(job.key)
