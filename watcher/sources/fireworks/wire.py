"""What Fireworks AI says of a job and of a list of jobs.

The status is in `state`; what is called `status` is the reason, as `{code, message}`.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from pydantic import AliasChoices, AliasPath, Field

from watcher.domain.jobs import JobError, JobFacts, JobKey, Observation, Page, Progress, ProgressUnit
from watcher.domain.states import JobState, is_terminal
from watcher.sources.decoding import malformed, read, text_of
from watcher.sources.fireworks import ids
from watcher.sources.fireworks.states import FIREWORKS_STATES, PREFIX
from watcher.sources.job_object import JobObject, read_job, reason_of
from watcher.sources.lenient import Count, Part, Text, Timestamp, Tolerant
from watcher.sources.listing import Fact, ListEntry, Moment, listed_jobs

_NO_ERROR = "OK"
_WHOLE = 100
"""Per cent."""
_NOTES = {
    "PAUSED": (("Paused", "as a rule the account is suspended, or somebody has paused it"),),
    "EARLY_STOPPED": (("Stopped early", "a reinforcement job may have learnt nothing: is it still the base model?"),),
}
_MODEL = AliasChoices(
    "baseModel", "warmStartFrom", AliasPath("trainingConfig", "baseModel"), AliasPath("trainingConfig", "warmStartFrom")
)


class Reason(Part):
    """Why a job is in its state."""

    code: Text = None
    message: Text = None

    def of(self, state: JobState) -> JobError | None:
        """Return it as the reason of a job in this state."""
        return reason_of(state, self.message, None if self.code == _NO_ERROR else self.code)


class Done(Part):
    """How far a job has come: only supervised and reinforcement jobs say so."""

    epoch: Count = None
    """Counted from 0."""
    percent: Count = None
    """Of that epoch."""

    def percent_of(self, epochs: int) -> int:
        """Return how much of so many epochs is done, in per cent."""
        return ((self.epoch or 0) * _WHOLE + (self.percent or 0)) // epochs


class TuningJob(JobObject):
    """A job of any kind."""

    id: str = Field(alias="name")
    status: str = Field(alias="state")
    display_name: Text = Field(None, alias="displayName")
    model: Text = Field(None, validation_alias=_MODEL)
    output_model: Text = Field(
        None, validation_alias=AliasChoices("outputModel", AliasPath("trainingConfig", "outputModel"))
    )
    """Set from creation on: no sign of success."""
    created_at: Timestamp = Field(None, alias="createTime")
    completed_at: Timestamp = Field(None, alias="completedTime")
    updated_at: Timestamp = Field(None, alias="updateTime")
    reason: Tolerant[Reason] = Field(None, alias="status")
    epochs: Count = None
    done: Tolerant[Done] = Field(None, alias="jobProgress")

    def progress(self, at: datetime) -> Progress | None:
        """Return how far it has come, as observed at the time given; None when it does not say."""
        done = self.done.percent_of(self.epochs) if self.done and self.epochs else 0
        return Progress(done, _WHOLE, self.updated_at or at, ProgressUnit.PERCENT) if 0 < done <= _WHOLE else None

    def facts(self, state: JobState) -> JobFacts:
        """Return the parts that messages speak of."""
        return JobFacts(
            model=self.model or None,
            fine_tuned_model=self.output_model or None if state is JobState.SUCCEEDED else None,
            created_at=self.created_at,
            finished_at=self.completed_at or self.updated_at if is_terminal(state) else None,
            error=self.reason.of(state) if self.reason else None,
            suffix=self.display_name or None,
            more=_NOTES.get(self.status.removeprefix(PREFIX), ()),
        )


class Entry(ListEntry):
    """A job in a list, which is a whole object."""

    id: Text = Field(None, alias="name")
    status: Text = Field(None, alias="state")
    created_at: Moment = Field(None, alias="createTime")
    model: Fact = Field(None, validation_alias=_MODEL)
    name: Fact = Field(None, alias="displayName")


class Listed(Part):
    """A page of one of the lists."""

    jobs: list[Tolerant[Entry]] | None = Field(None, validation_alias=AliasChoices(*ids.KINDS))
    """Absent where a service leaves out what is empty."""
    next_page_token: Text = Field(None, alias="nextPageToken")


def parse(body: bytes, key: JobKey, at: datetime) -> Observation:
    """Read the answer to a retrieve, received at the time given: see `read_job`."""
    kind = ids.kind_and_own_id(key.id)[0]
    job, document = read_job(TuningJob, body, key, partial(_id_of, kind=kind))
    state = FIREWORKS_STATES(job.status)
    return Observation(key, job.status, state, at, job.facts(state), document, progress=job.progress(at))


def parse_page(body: bytes, kind: str) -> tuple[Page, str | None]:
    """Read a page of the list of a kind; return it, leading nowhere, and the token of the next one."""
    document = text_of(body)
    listed = read(Listed, document)
    if listed.jobs is None and listed.model_extra:
        raise malformed(f"it has no {kind}", document)
    entries = [
        entry.model_copy(update={"id": _id_of(entry.id, kind)}) for entry in listed.jobs or () if entry and entry.id
    ]
    return Page(listed_jobs(entries)[0], None), listed.next_page_token or None


def _id_of(name: str, kind: str) -> str | None:
    """Return the id of the job with this name, which is `accounts/{account}/{kind}/{id}`; None for another one."""
    before, _, own_id = name.partition(f"/{kind}/")
    return ids.job_id(kind, own_id) if own_id and before.startswith("accounts/") else None
