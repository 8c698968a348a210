"""How long a job was in a status: by the service's own times where it gives them, else as far as it was observed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.domain.durations import format_duration
from watcher.domain.jobs import Job, JobFacts
from watcher.domain.states import JobState, is_terminal
from watcher.domain.transitions import Reason, Transition

_FIRST = {JobState.PENDING, JobState.VALIDATING}
"""The states that begin with the creation of the job."""


@dataclass(frozen=True, slots=True)
class TimeInStatus:
    """How long a job was in a status; written, it says "at least" where the beginning is not known."""

    since: datetime
    until: datetime
    is_exact: bool = True
    """Whether the beginning is known: it was observed, or the service says when it was."""

    @property
    def duration(self) -> timedelta:
        """The time from the beginning to the end, never negative."""
        return max(self.until - self.since, timedelta())

    def __str__(self) -> str:
        """Return the duration for people."""
        return f"{'' if self.is_exact else 'at least '}{format_duration(self.duration)}"


def present_status(job: Job, now: datetime) -> TimeInStatus | None:
    """Return how long a job has been in its present status; None before the first sight."""
    if job.status_since is None:
        return None
    return _from(job.state, job.status_since, now, is_seen=job.is_since_exact, facts=job.facts or JobFacts())


def status_of(transition: Transition, following: Transition | None, now: datetime) -> TimeInStatus | None:
    """Return how long the status of a transition lasted, or has lasted; None when the job has ended with it."""
    if following is None and is_terminal(transition.state):
        return None
    until = _end_before(following, transition.observed_at) if following else now
    return since_transition(transition, until)


def since_transition(transition: Transition, until: datetime) -> TimeInStatus:
    """Return how long the status of a transition had lasted by a time."""
    if transition.happened_at:
        return TimeInStatus(transition.happened_at, until)
    is_seen = transition.reason is not Reason.FIRST_SEEN
    return _from(transition.state, transition.observed_at, until, is_seen=is_seen, facts=transition.facts)


def previous_status(transition: Transition) -> TimeInStatus | None:
    """Return how long the status before a transition lasted; None for a first sight."""
    since = transition.previous_since
    if since is None:
        return None
    until = _end_before(transition, since)
    return _from(transition.previous_state, since, until, is_seen=transition.is_previous_exact, facts=transition.facts)


def _from(
    state: JobState | None, observed_at: datetime, until: datetime, *, is_seen: bool, facts: JobFacts
) -> TimeInStatus:
    told = facts.finished_at if is_terminal(state) else facts.created_at if state in _FIRST and not is_seen else None
    if told is not None and told <= observed_at:
        return TimeInStatus(told, until)
    return TimeInStatus(observed_at, until, is_seen)


def _end_before(transition: Transition, since: datetime) -> datetime:
    """Return when the status before a transition ended, as far as that is known: else it was observed to have."""
    began = transition.skipped_at.get(transition.skipped[0]) if transition.skipped else transition.happened_at
    if began:
        return began
    finished = transition.facts.finished_at
    is_next = transition.reason is not Reason.SKIPPED
    if is_terminal(transition.state) and is_next and finished and since <= finished <= transition.observed_at:
        return finished
    return transition.observed_at
