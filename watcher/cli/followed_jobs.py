"""How the jobs that `watch` follows stand: what its live view, its signs of life and its summary show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from watcher.domain.anomalies import Anomaly
from watcher.domain.durations import format_duration
from watcher.domain.forecast import Stay, usual_length
from watcher.domain.jobs import Forecast, Job, JobFacts, JobKey, JobSpec, Progress
from watcher.domain.polling_policy import PollFailure
from watcher.domain.states import JobState, is_terminal, shown_status
from watcher.domain.telemetry import EventPage
from watcher.domain.text import printable
from watcher.domain.time_in_status import since_transition
from watcher.domain.training import Training, expected_end, with_page, with_progress, wrong_with
from watcher.domain.transitions import Reason, Transition

UNSEEN = "waiting for the first answer"


class Note(NamedTuple):
    """What is odd about how a job trains."""

    anomaly: Anomaly
    words: str
    """It in a few words."""


@dataclass(frozen=True, slots=True)
class JobRow:
    """How a job stands at a moment, every text safe to show."""

    title: str
    status: str | None
    """None before the first answer."""
    state: JobState | None
    training: Training
    elapsed: timedelta | None
    """Since the job was created, else since it was first seen; None where that, or its end, is not known."""
    is_elapsed_exact: bool
    expected: Forecast | None
    """When it is expected to end; None while that is not known."""
    answered: timedelta | None
    """How long ago the source last answered; None before the first answer."""
    trouble: str | None
    """What went wrong with the last poll."""
    again: str | None
    """When the next one is, after one that failed."""
    note: Note | None
    """What is odd about its training."""


@dataclass(slots=True)
class _Followed:
    """One job."""

    key: JobKey
    title: str
    last: Transition | None = None
    facts: JobFacts = field(default_factory=JobFacts)
    training: Training = field(default_factory=Training)
    first_seen: datetime | None = None
    answered_at: datetime | None = None
    failure: PollFailure | None = None
    next_at: datetime | None = None
    is_given_up: bool = False
    stays: Sequence[Stay] = ()
    """How long earlier jobs of its source were in their statuses."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or is not followed any more."""
        return self.is_given_up or (self.last is not None and is_terminal(self.last.state))


class FollowedJobs:
    """Keeps what was last heard of each job, good and bad."""

    def __init__(self, specs: Sequence[JobSpec]) -> None:
        self._jobs = {spec.key: _Followed(spec.key, spec.name or spec.key.id) for spec in specs}

    def transition(self, transition: Transition) -> None:
        """Note a transition."""
        followed = self._jobs[transition.key]
        followed.last, followed.facts, followed.failure = transition, transition.facts, None
        followed.first_seen = followed.first_seen or transition.observed_at
        followed.title = transition.title

    def answered(self, job: Job, progress: Progress | None, now: datetime) -> None:
        """Note an answer."""
        followed = self._jobs[job.key]
        followed.answered_at, followed.failure = now, None
        followed.facts = job.facts or followed.facts
        if progress:
            followed.training = with_progress(followed.training, progress)

    def told(self, job: Job, page: EventPage) -> None:
        """Note what is new of a job."""
        followed = self._jobs[job.key]
        followed.training = with_page(followed.training, page)

    def poll_failed(self, job: Job, failure: PollFailure, next_at: datetime | None) -> None:
        """Note a failed poll. Without a next one the job is no longer followed."""
        followed = self._jobs[job.key]
        followed.failure, followed.next_at, followed.is_given_up = failure, next_at, next_at is None

    def learned(self, stays: Mapping[str, Sequence[Stay]]) -> None:
        """Note how long earlier jobs of each source were in their statuses."""
        for key, followed in self._jobs.items():
            followed.stays = stays.get(key.source, ())

    def title_of(self, key: JobKey) -> str:
        """Return what a job is called: its title, or its id where another one that is followed has the same title."""
        title = self._jobs[key].title
        return title if sum(each.title == title for each in self._jobs.values()) == 1 else key.id

    def rows(self, now: datetime) -> list[JobRow]:
        """Return how each job stands that has not ended."""
        return [self._row(followed, now) for followed in self._jobs.values() if not followed.is_over]

    def all_rows(self, now: datetime) -> list[JobRow]:
        """Return how each job stands, also those that have ended."""
        return [self._row(followed, now) for followed in self._jobs.values()]

    def ended(self, now: datetime) -> list[tuple[JobRow, JobFacts]]:
        """Return how each job ended that has, and what its source says of it."""
        return [
            (self._row(followed, now), followed.facts)
            for followed in self._jobs.values()
            if followed.last and is_terminal(followed.last.state)
        ]

    def each(self, now: datetime) -> list[tuple[str, str]]:
        """Return for each job that has not ended what it is called and how it stands, in words."""
        return [
            (printable(self.title_of(followed.key)), printable(_standing(followed, now)))
            for followed in self._jobs.values()
            if not followed.is_over
        ]

    def counts(self) -> str:
        """Count the jobs by status."""
        statuses = (
            shown_status(followed.last.status, followed.last.state) if followed.last else "not seen yet"
            for followed in self._jobs.values()
            if not followed.is_given_up
        )
        return printable(", ".join(f"{count} {status}" for status, count in Counter(statuses).most_common()))

    def _row(self, followed: _Followed, now: datetime) -> JobRow:
        return _row(followed, self.title_of(followed.key), now)


def _row(followed: _Followed, title: str, now: datetime) -> JobRow:
    last, facts = followed.last, followed.facts
    is_running = last is not None and last.state is JobState.RUNNING
    since = facts.created_at or followed.first_seen
    until = _end_of(followed) if followed.is_over else now
    is_exact = facts.created_at is not None or (last is not None and last.reason is not Reason.FIRST_SEEN)
    return JobRow(
        title=printable(title),
        status=printable(shown_status(last.status, last.state)) if last else None,
        state=last.state if last else None,
        training=followed.training,
        elapsed=max(until - since, timedelta()) if since and until else None,
        is_elapsed_exact=is_exact,
        expected=expected_end(followed.training, facts, now, _usual_end(followed)) if is_running else None,
        answered=max(now - followed.answered_at, timedelta()) if followed.answered_at else None,
        trouble=_trouble(followed),
        again=_again(followed, now),
        note=_note(followed.training, now) if is_running else None,
    )


def _end_of(followed: _Followed) -> datetime | None:
    """Return when a job ended; None where its source does not say, and nobody saw it."""
    last = followed.last
    if followed.facts.finished_at or last is None:
        return followed.facts.finished_at
    return None if last.reason is Reason.FIRST_SEEN else last.observed_at


def _usual_end(followed: _Followed) -> datetime | None:
    """Return when a job would leave its status, did it stay there as long as earlier ones."""
    last = followed.last
    usual = usual_length(followed.stays, last.status, followed.facts.model) if last and followed.stays else None
    if last is None or usual is None:
        return None
    is_seen = last.reason is not Reason.FIRST_SEEN
    since = last.happened_at or (last.observed_at if is_seen else followed.facts.created_at)
    return since + usual if since else None


def _trouble(followed: _Followed) -> str | None:
    if followed.failure:
        return printable(followed.failure.error)
    return None if followed.last else UNSEEN


def _again(followed: _Followed, now: datetime) -> str | None:
    if followed.failure is None or followed.next_at is None:
        return None
    left = _to_the_second(followed.next_at - now)
    return f"again in {format_duration(left)}" if left > timedelta() else "again now"


def _note(training: Training, now: datetime) -> Note | None:
    found = wrong_with(training, now)
    if found is None:
        return None
    anomaly, silence = found
    words = _NOTES[anomaly]
    return Note(anomaly, f"{words} {format_duration(_to_the_second(silence))}" if silence else words)


_NOTES: Mapping[Anomaly, str] = {
    Anomaly.NO_NUMBER: "loss is no number",
    Anomaly.CLIMBS: "loss climbs",
    Anomaly.DIVERGES: "overfits",
    Anomaly.STALLED: "stalled",
}


def _to_the_second(duration: timedelta) -> timedelta:
    return timedelta(seconds=round(duration.total_seconds()))


def _standing(followed: _Followed, now: datetime) -> str:
    text = _status_of(followed.last, now) if followed.last else UNSEEN
    return f"{text} · {followed.failure.error}" if followed.failure else text


def _status_of(last: Transition, now: datetime) -> str:
    text = f"{shown_status(last.status, last.state)} for {since_transition(last, now)}"
    finish = last.facts.estimated_finish
    return f"{text}, expected to end in {format_duration(finish - now)}" if finish and finish > now else text
