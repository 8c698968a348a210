"""What Vertex AI says of a tuning job and of a list of them.

Whole numbers of 64 bits are strings. In the name of a job stands the number of the project, whatever was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pydantic import AliasPath, Field

from watcher.domain.jobs import JobError, JobFacts, JobKey, Observation, Page, Progress
from watcher.domain.states import JobState, is_terminal
from watcher.sources.decoding import malformed, read, text_of
from watcher.sources.job_object import JobObject, begun, read_job, reason_of
from watcher.sources.lenient import Count, Part, Text, Timestamp, Tolerant
from watcher.sources.listing import Fact, ListEntry, Metadata, Moment, listed_jobs
from watcher.sources.vertex.ids import own_id
from watcher.sources.vertex.states import VERTEX_STATES

_STATISTICS = ("tuningDataStats", "supervisedTuningDataStats")
_DETAIL = "TUNING_JOB_STATE_"


class Status(Part):
    """Why a job failed or was cancelled."""

    code: Count = None
    """A number of Google's, such as 13 for an internal error."""
    message: Text = None

    def of(self, state: JobState) -> JobError | None:
        """Return it as the reason of a job in this state."""
        return reason_of(state, self.message, str(self.code) if self.code else None)


class Checkpoint(Part):
    """What was saved of the model on the way. It has no time and no metrics."""

    step: Count = None


class TuningJob(JobObject):
    """A job."""

    id: str = Field(alias="name")
    status: str = Field(alias="state")
    display_name: Text = Field(None, alias="tunedModelDisplayName")
    model: Text = Field(None, alias="baseModel")
    tuned_model: Text = Field(None, validation_alias=AliasPath("tunedModel", "model"))
    """A failed job may have one too."""
    endpoint: Text = Field(None, validation_alias=AliasPath("tunedModel", "endpoint"))
    """What requests are sent to."""
    checkpoints: Tolerant[list[Tolerant[Checkpoint]]] = Field(
        None, validation_alias=AliasPath("tunedModel", "checkpoints")
    )
    detail: Text = Field(None, alias="tuningJobState")
    """What a job waits for, or does, within its state."""
    created_at: Timestamp = Field(None, alias="createTime")
    started_at: Timestamp = Field(None, alias="startTime")
    ended_at: Timestamp = Field(None, alias="endTime")
    updated_at: Timestamp = Field(None, alias="updateTime")
    tokens: Count = Field(None, validation_alias=AliasPath(*_STATISTICS, "totalBillableTokenCount"))
    error: Tolerant[Status] = None
    steps_done: Count = Field(None, validation_alias=AliasPath("tuningJobMetadata", "completedStepCount"))
    steps: Count = Field(None, validation_alias=AliasPath(*_STATISTICS, "tuningStepCount"))

    def progress(self, at: datetime) -> Progress | None:
        """Return how far it has come, as observed at the time given; None when it does not say."""
        if not self.steps_done or (self.steps and self.steps_done > self.steps):
            return None
        return Progress(self.steps_done, self.steps or None, self.updated_at or at)

    def facts(self, state: JobState) -> JobFacts:
        """Return the parts that messages speak of."""
        has_ended = is_terminal(state)
        return JobFacts(
            model=self.model or None,
            fine_tuned_model=self.tuned_model or None if has_ended else None,
            created_at=self.created_at,
            finished_at=self.ended_at or self.updated_at if has_ended else None,
            trained_tokens=self.tokens if state is JobState.SUCCEEDED else None,
            error=self.error.of(state) if self.error else None,
            suffix=self.display_name or None,
            more=tuple(self._results() if has_ended else self._stage()),
        )

    def _stage(self) -> Iterator[tuple[str, str]]:
        stage = (self.detail or "").removeprefix(_DETAIL)
        if stage:
            yield "Stage", stage.lower().replace("_", " ")

    def _results(self) -> Iterator[tuple[str, str]]:
        if self.endpoint:
            yield "Endpoint", self.endpoint
        steps = [str(each.step) for each in self.checkpoints or () if each and each.step is not None]
        if steps:
            yield "Checkpoints", f"at step {', '.join(steps)}"


class Entry(ListEntry):
    """A job in the list, which is a whole object."""

    id: Text = Field(None, alias="name")
    status: Text = Field(None, alias="state")
    created_at: Moment = Field(None, alias="createTime")
    model: Fact = Field(None, alias="baseModel")
    name: Fact = Field(None, alias="tunedModelDisplayName")
    metadata: Metadata = Field(None, alias="labels")


class Listed(Part):
    """A page of the list."""

    jobs: list[Tolerant[Entry]] | None = Field(None, alias="tuningJobs")
    """Absent from an empty page."""
    next_page_token: Text = Field(None, alias="nextPageToken")


def parse(body: bytes, key: JobKey, at: datetime) -> Observation:
    """Read the answer to a retrieve, received at the time given: see `read_job`."""
    job, document = read_job(TuningJob, body, key, own_id)
    state = VERTEX_STATES(job.status)
    progress, milestones = job.progress(at), begun(job.started_at)
    return Observation(key, job.status, state, at, job.facts(state), document, progress=progress, milestones=milestones)


def parse_page(body: bytes, asked: str | None) -> Page:
    """Read a page of the list, which was asked for by this token. Raises MalformedResponseError for no list."""
    document = text_of(body)
    listed = read(Listed, document)
    if listed.jobs is None and listed.model_extra:
        raise malformed("it has no tuningJobs", document)
    entries = [entry.model_copy(update={"id": own_id(entry.id)}) for entry in listed.jobs or () if entry and entry.id]
    token = listed.next_page_token or None
    return Page(listed_jobs(entries)[0], token if token != asked else None)
