"""What a poll teaches: of the job, and of its source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from watcher.domain.forecast import forecast
from watcher.domain.jobs import Forecast, Job, Observation
from watcher.domain.polling_policy import (
    MISSING_TOLERATED,
    PollFailure,
    PollOutcome,
    after_answer,
    after_failure,
    next_poll,
)
from watcher.domain.routing import Route, recipients
from watcher.domain.states import is_terminal
from watcher.domain.transitions import detect, moved
from watcher.engine.polling.circuit_breaker import CircuitBreaker
from watcher.engine.polling.job_cache import JobCache
from watcher.engine.polling.source_state import Lane
from watcher.engine.ports import Change, Runtime


class Learn:
    """Turns what polls came to into changes of the ledger, and keeps the health of lanes."""

    def __init__(self, job_cache: JobCache, runtime: Runtime, routes: Sequence[Route]) -> None:
        self._job_cache = job_cache
        self._runtime = runtime
        self._log = runtime.log
        self._routes = routes
        self.on_missing: Callable[[Job], None] = lambda _job: None
        """Called when a source has disowned a job too often for it to be just created."""

    def of_source(self, lane: Lane, result: Observation | PollFailure | None) -> None:
        """Note what the result of a request says of its source."""
        now = self._runtime.clock()
        lane.note(result, now)
        trouble = result if isinstance(result, PollFailure) else None
        if trouble and trouble.retry_after:
            lane.circuit_breaker.pause(trouble.retry_after, now)
        # Who says that it does not know a job has let us in.
        if (trouble is None or trouble.outcome is PollOutcome.MISSING) and lane.circuit_breaker.open():
            self._log.info("source accepts us again", source=lane.name)

    def of_trouble(self, lane: Lane, job: Job, trouble: PollFailure) -> None:
        """Take in a poll that brought no observation."""
        self._log_trouble(lane.circuit_breaker, job, trouble)
        after = after_failure(job, trouble)
        if trouble.outcome is PollOutcome.REJECTED and after == job:
            return
        if trouble.outcome is not PollOutcome.REJECTED:  # that is for the gate to wait for, and not for the job
            now = self._runtime.clock()
            after = replace(after, due_at=next_poll(after, lane.polling_policy, now, self._runtime.jitter(), trouble))
        self._job_cache.put(Change(job.seq, after))

    def of_job(
        self, lane: Lane, job: Job, observation: Observation | None, taken_at: datetime, looked: Forecast | None = None
    ) -> None:
        """Take in an answer; None: nothing new. `looked` is the forecast that a look at the job's progress gave."""
        transition = detect(job, observation) if observation else None
        after = after_answer(job)
        if transition:
            after = moved(after, transition)
        if not is_terminal(after.state):
            after = self._expecting(lane, after, observation, looked)
        # What was moved goes on from now. Else the due time has moved with all the others when the job was taken.
        begin = self._runtime.clock() if transition else taken_at
        after = replace(after, due_at=next_poll(after, lane.polling_policy, begin, self._runtime.jitter()))
        if after != job:
            self._job_cache.put(
                Change(job.seq, after, transition, recipients(self._routes, transition) if transition else ())
            )

    def _expecting(self, lane: Lane, job: Job, observation: Observation | None, looked: Forecast | None) -> Job:
        if not lane.polling_policy.is_adaptive:
            return job
        estimate = observation.facts.estimated_finish if observation else None
        durations = lane.durations.get(job.status or "", ())
        told = looked or forecast(job, estimate, durations, self._runtime.clock())
        return job if told == job.forecast else replace(job, forecast=told)

    def _log_trouble(self, circuit_breaker: CircuitBreaker, job: Job, trouble: PollFailure) -> None:
        """Say each kind of trouble once when it begins, and only to those who look for it while it lasts."""
        log, event = self._log.debug, "poll failed"
        if trouble.outcome is PollOutcome.REJECTED:
            event = "source rejects us, probing it once a minute"
            if circuit_breaker.close(trouble.error, self._runtime.clock()):
                log = self._log.error
        elif trouble.outcome is PollOutcome.MISSING and job.missing == MISSING_TOLERATED:
            log, event = self._log.error, "job is unknown to its source"
            self.on_missing(after_failure(job, trouble))
        elif not job.failures:
            log = self._log.warning
        log(event, job=str(job.key), error=trouble.error, failures=job.failures + 1, request_id=trouble.request_id)
