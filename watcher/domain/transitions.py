"""The change of a job's status: found by comparing what was recorded with what was observed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from watcher.domain.documents import shared_document
from watcher.domain.jobs import Job, JobFacts, JobKey, Observation
from watcher.domain.states import DEAD_ENDS, PATH, RANK, JobState, documented_word, is_terminal, named_state

if TYPE_CHECKING:
    # `watch` loads it only where it is asked for.
    from watcher.domain.telemetry import MetricPoint


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
    """The job object as retrieved, without its private fields: JSON text."""
    is_previous_exact: bool = True
    """Whether the previous status was seen to begin, so that `previous_since` says when."""
    event_word: str | None = None
    """The word for the type of the event, where it is not the status. One with a dot is the whole type."""
    happened_at: datetime | None = None
    """When the status began, as the service says; None where it does not. It may become known later."""
    skipped_at: Mapping[str, datetime] = field(default_factory=dict)
    """The same for those of `skipped` of which it is known."""
    measured: tuple[MetricPoint, ...] = ()
    """Of a success: the last points of its series, as far as they were known when it was recorded."""

    @property
    def id(self) -> str:
        """The event's id: a function of (source, job, seq) alone."""
        return event_id(self.key.source, self.key.id, self.seq)

    @property
    def type(self) -> str:
        """The event's type. Services that do not speak OpenAI's API get OpenAI's words for the state."""
        if self.event_word and "." in self.event_word:
            return self.event_word
        return f"fine_tuning.job.{self.word}"

    @property
    def word(self) -> str:
        """The status as receivers know it: what the type ends with."""
        return self.status if self.event_word is None or "." in self.event_word else self.event_word

    @property
    def subject(self) -> str:
        """What the event is about; events of one subject reach a notifier in order."""
        return str(self.key)

    @property
    def thread(self) -> str:
        """What a receiver shows together: the job, whose conditions have the same thread."""
        return str(self.key)

    @property
    def at(self) -> datetime:
        """When it was observed."""
        return self.observed_at

    @property
    def title(self) -> str:
        """The name people gave the job, else the suffix of its result, else its id."""
        return self.name or self.facts.suffix or self.key.id


def event_id(source: str, name: str, seq: int) -> str:
    """Return the id of an event: the same over retries, restarts and replicas."""
    digest = hashlib.sha256(json.dumps([source, name, seq]).encode())
    return f"evt_{digest.hexdigest()[:32]}"


def detect(previous: Job, observation: Observation) -> Transition | None:
    """Return the transition that the observation proves, or None when the status is the same.

    Other changes of the object are no transition.
    """
    if observation.status == previous.status:
        return None
    reason, skipped = _compare(previous.state, observation.state, observation.path)
    return Transition(
        key=previous.key,
        name=previous.name,
        labels=previous.labels,
        seq=next_seq(previous.seq, observation.at),
        previous_status=previous.status,
        previous_state=previous.state,
        status=observation.status,
        state=observation.state,
        reason=reason,
        skipped=skipped,
        observed_at=observation.at,
        previous_since=previous.status_since,
        facts=observation.facts,
        document=shared_document(
            observation.document, observation.private_fields, shows_addresses=observation.shows_addresses
        ),
        is_previous_exact=previous.is_since_exact,
        event_word=observation.event_word,
    )


def moved(job: Job, transition: Transition) -> Job:
    """Return the job as it stands after the transition."""
    return job._replace(
        status=transition.status,
        state=transition.state,
        seq=transition.seq,
        status_since=transition.observed_at,
        is_since_exact=transition.reason is not Reason.FIRST_SEEN,
        forecast=None,
        facts=transition.facts,
    )


def has_reached(job: Job, goal: str) -> bool:
    """Return whether the job is at the goal, a status or a state, or has passed it: short states are often not seen."""
    if job.status is None or job.state is None:
        return False
    state = named_state(goal)
    if job.status == goal or job.state is state:
        return True
    return state in PATH and RANK.get(job.state, 0) > RANK[state] and job.state not in DEAD_ENDS


def next_seq(last: int, at: datetime) -> int:
    """Number an event: above the last one, and at least the second it was observed in.

    Counting 1, 2, 3 would give two different transitions the same number, and so the same id, whenever the
    record is lost, restored from a backup, or was never kept (`watch`): a receiver that drops duplicates would
    then drop the news.
    """
    return max(last + 1, int(at.timestamp()))


def _compare(before: JobState | None, after: JobState, path: Sequence[JobState]) -> tuple[Reason, tuple[str, ...]]:
    if before is None:
        return Reason.FIRST_SEEN, ()
    if is_terminal(before):
        return Reason.REOPENED, ()
    if after not in RANK:
        return Reason.UNRECOGNISED, ()
    if before not in RANK:
        # From a state without a rank there is no telling which way this was.
        return Reason.ADVANCED, ()
    if after in PATH and after not in path:
        return Reason.ADVANCED, ()
    if RANK[after] < RANK[before]:
        return Reason.REGRESSED, ()
    passed = PATH[max(RANK[before] + 1, 0) : RANK[after]] if before is not JobState.PENDING else ()
    skipped = () if after in DEAD_ENDS else tuple(documented_word(state) for state in passed if state in path)
    return (Reason.SKIPPED, skipped) if skipped else (Reason.ADVANCED, ())
