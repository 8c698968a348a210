"""What Together AI says of a job and of all jobs.

Only `id` and `status` can be relied on. Absent things are null, `0` or `""`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from watcher.domain.jobs import JobError, JobFacts, JobKey, Observation, Page, Progress
from watcher.domain.states import JobState, is_terminal
from watcher.domain.telemetry import Milestone
from watcher.sources.decoding import read, text_of
from watcher.sources.job_object import JobObject, begun, read_job
from watcher.sources.lenient import Count, Flag, Part, Text, Timestamp, Tolerant
from watcher.sources.listing import MOST_ENTRIES, Fact, ListEntry, listed_jobs
from watcher.sources.metrics import newest
from watcher.sources.together.states import TOGETHER_STATES

_ERROR_LEVELS = {"error", "legacy_ierror"}
_ERROR_TYPES = {"job_error", "job_user_error", "billing_limit"}
"""With the last one a job is cancelled that nobody has stopped."""
_MILESTONES = {
    "job_pending": JobState.QUEUED,
    "job_restarted": JobState.QUEUED,
    "job_start": JobState.RUNNING,
    "job_complete": JobState.SUCCEEDED,
}
"""The types of events, in lower case, with which a job enters a state."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_A_YEAR_SECONDS = 365 * 86_400


class Event(Part):
    """Something that happened to a job. Older jobs write the type in capitals."""

    created_at: Timestamp = None
    level: Text = None
    message: Text = None
    type: Text = None
    step: Count = None
    total_steps: Count = None

    def is_error(self) -> bool:
        """Return whether it says why a job failed."""
        return (self.level or "").lower() in _ERROR_LEVELS or (self.type or "").lower() in _ERROR_TYPES

    def milestone(self) -> Milestone | None:
        """Return the state that the job entered with it."""
        state = _MILESTONES.get((self.type or "").lower())
        return Milestone(state, self.created_at) if state and self.created_at else None

    def progress(self) -> Progress | None:
        """Return how far the job had come with it."""
        if not self.created_at or not self.step or not self.total_steps or self.step > self.total_steps:
            return None
        return Progress(self.step, self.total_steps, self.created_at)


class Estimate(Part):
    """How long until the next status."""

    estimate_available: Flag = None
    seconds_remaining: Count = None


class FineTune(JobObject):
    """A job."""

    model: Text = None
    model_output_name: Text = None
    """Set from creation on: no sign of success."""
    created_at: Timestamp = None
    updated_at: Timestamp = None
    started_at: Timestamp = None
    """When the present stage began."""
    token_count: Count = None
    progress: Tolerant[Estimate] = None
    events: Tolerant[list[Tolerant[Event]]] = None

    def facts(self, state: JobState, at: datetime) -> JobFacts:
        """Return the parts that messages speak of."""
        has_ended = is_terminal(state)
        return JobFacts(
            model=self.model or None,
            fine_tuned_model=self.model_output_name or None if state is JobState.SUCCEEDED else None,
            created_at=self.created_at,
            # There is no time of the end, and after it nothing changes any more.
            finished_at=self.updated_at if has_ended else None,
            estimated_finish=None if has_ended else self._estimated_end(at),
            trained_tokens=self.token_count or None,
            error=self._error() if state in {JobState.FAILED, JobState.CANCELLED} else None,
        )

    def milestones(self, state: JobState) -> tuple[Milestone, ...]:
        """Return the states that it entered."""
        told = (event.milestone() for event in self.events or () if event)
        stage = begun(self.started_at) if state is JobState.RUNNING else ()
        return (*(each for each in told if each), *stage)

    def progress_told(self) -> Progress | None:
        """Return how far it has come, as the newest of its events says that does."""
        return newest([told for event in self.events or () if event and (told := event.progress())])

    def _estimated_end(self, at: datetime) -> datetime | None:
        estimate = self.progress
        if estimate is None or not estimate.estimate_available or not estimate.seconds_remaining:
            return None
        return at + timedelta(seconds=min(estimate.seconds_remaining, _A_YEAR_SECONDS))

    def _error(self) -> JobError | None:
        """Return the message of the last error event: the job has no field for it."""
        told = [event for event in self.events or () if event and event.is_error() and event.message]
        # Of several at one time the last one: sorting keeps their order.
        told.sort(key=lambda event: event.created_at or _LONG_AGO)
        return JobError(code=told[-1].type, message=told[-1].message) if told else None


class Entry(ListEntry):
    """A job in the list, which has no name but that of the model that it is to make."""

    model_output_name: Fact = None

    @property
    def title(self) -> str | None:
        """What people called the job."""
        return self.model_output_name


class Listed(Part):
    """All jobs, each a shortened object."""

    data: Annotated[list[Tolerant[Entry]], Field(max_length=MOST_ENTRIES)] | None
    """Null where a service writes an empty list so."""


def parse(body: bytes, key: JobKey, at: datetime) -> Observation:
    """Read the answer to a retrieve, received at the time given: see `read_job`."""
    job, document = read_job(FineTune, body, key)
    state = TOGETHER_STATES(job.status)
    progress, milestones = job.progress_told(), job.milestones(state)
    return Observation(
        key, job.status, state, at, job.facts(state, at), document, progress=progress, milestones=milestones
    )


def parse_page(body: bytes) -> Page:
    """Read the list, which is one page. Raises MalformedResponseError for anything but a list."""
    jobs, _ = listed_jobs(read(Listed, text_of(body)).data or ())
    return Page(jobs, None)
