"""How long until a job's next poll."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from watcher.domain.jobs import Job, is_terminal

LONGEST_BACKOFF = timedelta(minutes=5)
"""A job whose polls fail is still asked for this often."""
LONGEST_RETRY_AFTER = timedelta(seconds=120)
"""The longest wait that an API may ask for; the official SDK honours as much."""
PROBE_INTERVAL = timedelta(minutes=1)
"""How often a source that rejects us is asked again."""
MISSING_TOLERATED = 3
"""404 answers in a row that are taken for a job just created."""
MISSING_INTERVAL = timedelta(seconds=5)
"""How soon a tolerated 404 is asked again: a job just created appears within seconds."""
_SPREAD = 0.1
"""The share of a back-off that jitter may take off, so that jobs which failed together return apart."""


class PollOutcome(StrEnum):
    """What a poll came to."""

    ANSWERED = "answered"
    FAILED = "failed"
    MISSING = "missing"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A poll that brought no observation."""

    outcome: PollOutcome
    error: str
    retry_after: timedelta | None = None
    """How long the source asked to be left alone."""
    request_id: str | None = None
    """The API's own name of the exchange."""


def troubled(job: Job, trouble: Trouble) -> Job:
    """Return the job after a poll without an observation. A rejection is the source's trouble, not the job's."""
    if trouble.outcome is PollOutcome.REJECTED:
        return replace(job, last_error=trouble.error)
    missing = job.missing + 1 if trouble.outcome is PollOutcome.MISSING else 0
    return replace(job, failures=job.failures + 1, missing=missing, last_error=trouble.error)


def answered(job: Job) -> Job:
    """Return the job after a poll that was answered."""
    return replace(job, failures=0, missing=0, last_error=None)


def is_reported_missing(job: Job) -> bool:
    """Tell whether the job has been missing too often for it to be just created."""
    return job.missing > MISSING_TOLERATED


def next_poll(
    job: Job, interval: timedelta, now: datetime, jitter: float, trouble: Trouble | None = None
) -> datetime | None:
    """Say when to poll the job next, given how it stands after its last poll; None for never again.

    `jitter` lies between -1 and 1.
    """
    if trouble is None:
        return None if is_terminal(job.status) else now + interval
    if trouble.outcome is PollOutcome.REJECTED:
        return now + max(interval, PROBE_INTERVAL)
    if trouble.outcome is PollOutcome.MISSING and not is_reported_missing(job):
        return now + min(interval, MISSING_INTERVAL)
    asked = min(trouble.retry_after or timedelta(), LONGEST_RETRY_AFTER)
    return now + max(_backoff(job.failures, interval) * (1 - _SPREAD * (1 + jitter) / 2), asked)


def _backoff(failures: int, interval: timedelta) -> timedelta:
    longest = max(LONGEST_BACKOFF, interval)
    doublings = min(failures, 20)  # any interval has reached the bound by then, and none overflows
    return min(interval * (1 << doublings), longest)
