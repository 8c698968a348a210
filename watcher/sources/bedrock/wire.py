"""What Bedrock says of a job of model customization and of a list of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pydantic import AliasPath, Field

from watcher.domain.jobs import JobFacts, JobKey, Observation, Page
from watcher.domain.states import JobState, is_terminal
from watcher.sources.bedrock.states import BEDROCK_STATES
from watcher.sources.decoding import complaint_about, malformed, read, text_of
from watcher.sources.job_object import reason_of
from watcher.sources.lenient import Number, Part, Text, Timestamp, Tolerant, Words
from watcher.sources.listing import Fact, ListEntry, Moment, listed_jobs

_STAGES = {
    "validationDetails": "validation",
    "dataProcessingDetails": "data processing",
    "trainingDetails": "training",
}
_UNDER_WAY = "InProgress"


class Validation(Part):
    """What was measured with one of the validators."""

    loss: Number = Field(None, alias="validationLoss")


class Stage(Part):
    """One of the parts of a job."""

    status: Text = None


class CustomizationJob(Part):
    """A job."""

    arn: Text = Field(None, alias="jobArn")
    name: Text = Field(None, alias="jobName")
    status: str
    """The service's description does not promise it, but without it nothing is known."""
    base_model: Text = Field(None, alias="baseModelArn")
    output_model: Text = Field(None, alias="outputModelArn")
    """Given at the end; `outputModelName` is from creation on."""
    output_name: Text = Field(None, alias="outputModelName")
    created_at: Timestamp = Field(None, alias="creationTime")
    ended_at: Timestamp = Field(None, alias="endTime")
    updated_at: Timestamp = Field(None, alias="lastModifiedTime")
    failure: Words = Field(None, alias="failureMessage")
    stages: Tolerant[dict[str, Tolerant[Stage]]] = Field(None, alias="statusDetails")
    training_loss: Number = Field(None, validation_alias=AliasPath("trainingMetrics", "trainingLoss"))
    validations: Tolerant[list[Tolerant[Validation]]] = Field(None, alias="validationMetrics")

    def facts(self, state: JobState) -> JobFacts:
        """Return the parts that messages speak of."""
        return JobFacts(
            model=self.base_model or None,
            fine_tuned_model=self.output_model or self.output_name or None if state is JobState.SUCCEEDED else None,
            created_at=self.created_at,
            finished_at=self.ended_at or self.updated_at if is_terminal(state) else None,
            error=reason_of(state, self.failure),
            suffix=self.name or None,
            more=tuple(self._losses() if is_terminal(state) else self._stage()),
        )

    def _stage(self) -> Iterator[tuple[str, str]]:
        stages = self.stages or {}
        words = [word for name, word in _STAGES.items() if (stage := stages.get(name)) and stage.status == _UNDER_WAY]
        if words:
            yield "Stage", ", ".join(words)

    def _losses(self) -> Iterator[tuple[str, str]]:
        """Return the last losses, of no step: the others are in files of the owner."""
        if self.training_loss is not None:
            yield "Training loss", f"{self.training_loss:.4g}"
        losses = [f"{each.loss:.4g}" for each in self.validations or () if each and each.loss is not None]
        if losses:
            yield "Validation loss", ", ".join(losses)


class Entry(ListEntry):
    """A job in the list, shortened."""

    id: Text = Field(None, alias="jobName")
    created_at: Moment = Field(None, alias="creationTime")
    model: Fact = Field(None, alias="baseModelArn")
    name: Fact = Field(None, alias="customModelName")


class Listed(Part):
    """A page of the list."""

    jobs: list[Tolerant[Entry]] | None = Field(alias="modelCustomizationJobSummaries")
    next_token: Text = Field(None, alias="nextToken")


def parse(body: bytes, key: JobKey, at: datetime) -> Observation:
    """Read the answer to a retrieve, received at the time given.

    Raises MalformedResponseError, which says what is wrong, for anything but the object of the job asked for.
    """
    document = text_of(body)
    job = read(CustomizationJob, document)
    if key.id not in {job.name, job.arn}:
        raise malformed("it is about another job", job.name or job.arn or document)
    if complaint := complaint_about(job.status):
        raise malformed(complaint, document)
    state = BEDROCK_STATES(job.status)
    return Observation(key, job.status, state, at, job.facts(state), document)


def parse_page(body: bytes, asked: str | None) -> Page:
    """Read a page of the list, which was asked for by this token. Raises MalformedResponseError for no list.

    Jobs stand there by their names. One that is watched by its ARN is retrieved.
    """
    listed = read(Listed, text_of(body))
    token = listed.next_token or None
    return Page(listed_jobs(listed.jobs or ())[0], token if token != asked else None)
