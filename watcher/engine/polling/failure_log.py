"""What the log says of polls and scans that failed: each kind once when it begins, and at debug while it lasts."""

from __future__ import annotations

from watcher.domain.jobs import Job
from watcher.domain.polling_policy import MISSING_TOLERATED, PollFailure, PollOutcome
from watcher.engine.polling.circuit_breaker import CircuitBreaker
from watcher.engine.runtime import Log

_REJECTED = "the source rejects our requests, trying once a minute"


def log_poll_failure(log: Log, breaker: CircuitBreaker, job: Job, failure: PollFailure) -> None:
    """Log a failed poll of a job; a rejection trips the breaker of the source."""
    write, event = log.debug, "poll failed"
    if failure.outcome is PollOutcome.REJECTED:
        event = _REJECTED
        if breaker.trip(failure.error):
            write = log.error
    elif failure.outcome is PollOutcome.MISSING and job.missing == MISSING_TOLERATED:
        write, event = log.error, "job is unknown to its source"
    elif not job.failures:
        write = log.warning
    write(event, job=str(job.key), error=failure.error, failures=job.failures + 1, request_id=failure.request_id)


def log_scan_failure(log: Log, breaker: CircuitBreaker, source: str, failure: PollFailure, *, is_first: bool) -> None:
    """Log that new jobs could not be looked for; a rejection trips the breaker of the source."""
    write, event = log.warning if is_first else log.debug, "the list cannot be read, so no new jobs are found"
    if failure.outcome is PollOutcome.REJECTED:
        event, write = _REJECTED, log.error if breaker.trip(failure.error) else log.debug
    write(event, source=source, error=failure.error, request_id=failure.request_id)
