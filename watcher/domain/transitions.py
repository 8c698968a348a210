"""The change of a job's status: found by comparing what was recorded with what was observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from watcher.domain.jobs import TERMINAL, Job, JobFacts, JobKey, Observation, Status, is_terminal

_PATH = (Status.VALIDATING_FILES, Status.QUEUED, Status.RUNNING)
"""The statuses that a job passes in order before it ends."""
_RANK: Mapping[str, int] = {
    **{status: rank for rank, status in enumerate(_PATH)},
    **dict.fromkeys(TERMINAL, len(_PATH)),
}
_DEAD_ENDS = {Status.FAILED, Status.CANCELLED}
"""A job gets there from anywhere, so these prove nothing about the way."""


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
    status: str
    reason: Reason
    skipped: tuple[str, ...]
    """The statuses that the job must have passed between two observations."""
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
    reason, skipped = _judge(previous.status, observation.status)
    return Transition(
        key=previous.key,
        name=previous.name,
        labels=previous.labels,
        seq=_next_seq(previous.seq, observation.at),
        previous_status=previous.status,
        status=observation.status,
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
        job, status=transition.status, seq=transition.seq, status_since=transition.observed_at, forecast=None
    )


def has_reached(status: str, goal: str) -> bool:
    """Tell whether a job with this status is at the goal, or has passed it: short statuses are often not seen."""
    return status == goal or (goal in _PATH and _RANK.get(status, 0) > _RANK[goal] and status not in _DEAD_ENDS)


def _next_seq(last: int, at: datetime) -> int:
    """Number a transition: above the last one, and at least the second it was observed in.

    Counting 1, 2, 3 would give two different transitions the same number, and so the same id, whenever the
    record is lost, restored from a backup, or was never kept (`watch`): a receiver that drops duplicates would
    then drop the news.
    """
    return max(last + 1, int(at.timestamp()))


def _judge(before: str | None, after: str) -> tuple[Reason, tuple[str, ...]]:
    if before is None:
        return Reason.FIRST_SEEN, ()
    if is_terminal(before):
        return Reason.REOPENED, ()
    if after not in _RANK:
        return Reason.UNRECOGNISED, ()
    if before not in _RANK:
        # From outside the six there is no telling which way this was.
        return Reason.ADVANCED, ()
    if _RANK[after] < _RANK[before]:
        return Reason.REGRESSED, ()
    skipped = () if after in _DEAD_ENDS else _PATH[_RANK[before] + 1 : _RANK[after]]
    return (Reason.SKIPPED, tuple(map(str, skipped))) if skipped else (Reason.ADVANCED, ())
