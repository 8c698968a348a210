"""The change of a job's status: found by comparing what was recorded with what was observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from watcher.domain.jobs import Job, JobFacts, JobKey, Observation
from watcher.domain.states import DEAD_ENDS, PATH, RANK, JobState, documented_word, is_terminal, named_state


class Reason(StrEnum):
    """How a status changed."""

    FIRST_SEEN = "first_seen"
    ADVANCED = "advanced"
    SKIPPED = "skipped"
    REGRESSED = "regressed"
    REOPENED = "reopened"
    UNRECOGNISED = "unrecognised"


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of status, recorded once. `(key, seq)` identifies it for ever."""

    key: JobKey
    name: str | None
    labels: Mapping[str, str]
    seq: int
    previous_status: str | None
    previous_state: JobState | None
    status: str
    state: JobState
    """What the status means."""
    reason: Reason
    skipped: tuple[str, ...]
    """The states that the job must have passed between two observations, in OpenAI's words."""
    observed_at: datetime
    previous_since: datetime | None
    """When the previous status was first observed."""
    facts: JobFacts
    document: str
    """The job object as retrieved: JSON text."""

    @property
    def title(self) -> str:
        """The name people gave the job, else its id."""
        return self.name or self.key.id


def detect(previous: Job, observation: Observation) -> Transition | None:
    """Return the transition that the observation proves, or None when the status is the same.

    Whatever else changed in the object is no transition.
    """
    if observation.status == previous.status:
        return None
    reason, skipped = _compare(previous.state, observation.state)
    return Transition(
        key=previous.key,
        name=previous.name,
        labels=previous.labels,
        seq=_next_seq(previous.seq, observation.at),
        previous_status=previous.status,
        previous_state=previous.state,
        status=observation.status,
        state=observation.state,
        reason=reason,
        skipped=skipped,
        observed_at=observation.at,
        previous_since=previous.status_since,
        facts=observation.facts,
        document=observation.document,
    )


def moved(job: Job, transition: Transition) -> Job:
    """Return the job as it stands after the transition."""
    return replace(
        job,
        status=transition.status,
        state=transition.state,
        seq=transition.seq,
        status_since=transition.observed_at,
        forecast=None,
    )


def has_reached(job: Job, goal: str) -> bool:
    """Tell whether the job is at the goal, a status or a state, or has passed it: short states are often not seen."""
    if job.status is None or job.state is None:
        return False
    state = named_state(goal)
    if job.status == goal or job.state is state:
        return True
    return state in PATH and RANK.get(job.state, 0) > RANK[state] and job.state not in DEAD_ENDS


def _next_seq(last: int, at: datetime) -> int:
    """Number a transition: above the last one, and at least the second it was observed in.

    Counting 1, 2, 3 would give two different transitions the same number, and so the same id, whenever the
    record is lost, restored from a backup, or was never kept (`watch`): a receiver that drops duplicates would
    then drop the news.
    """
    return max(last + 1, int(at.timestamp()))


def _compare(before: JobState | None, after: JobState) -> tuple[Reason, tuple[str, ...]]:
    if before is None:
        return Reason.FIRST_SEEN, ()
    if is_terminal(before):
        return Reason.REOPENED, ()
    if after not in RANK:
        return Reason.UNRECOGNISED, ()
    if before not in RANK:
        # From a state without a rank there is no telling which way this was.
        return Reason.ADVANCED, ()
    if RANK[after] < RANK[before]:
        return Reason.REGRESSED, ()
    passed = PATH[max(RANK[before] + 1, 0) : RANK[after]] if before is not JobState.PENDING else ()
    skipped = () if after in DEAD_ENDS else tuple(map(documented_word, passed))
    return (Reason.SKIPPED, skipped) if skipped else (Reason.ADVANCED, ())
