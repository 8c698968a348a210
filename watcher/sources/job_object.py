"""The object of a job, as far as all kinds read it alike: it must be the one asked for, and its status recordable."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from watcher.domain.jobs import JobError, JobKey
from watcher.domain.states import JobState
from watcher.domain.telemetry import Milestone
from watcher.sources.decoding import complaint_about, malformed, read, text_of
from watcher.sources.lenient import Part

J = TypeVar("J", bound="JobObject")

_UNWANTED = {JobState.FAILED, JobState.CANCELLED}


class JobObject(Part):
    """Only these two can be relied on. Where a service says them in other words, the fields are given aliases."""

    id: str
    status: str


def read_job(model: type[J], body: bytes, key: JobKey, id_of: Callable[[str], str | None] = str) -> tuple[J, str]:
    """Read the answer to a retrieve; return the object and the document that it was read from.

    `id_of` returns the id of the job from what the object says, where that is a longer name.
    Raises MalformedResponseError, which says what is wrong, for anything but the object of the job asked for.
    """
    document = text_of(body)
    job = read(model, document)
    if id_of(job.id) != key.id:
        raise malformed("it is about another job", job.id)
    if complaint := complaint_about(job.status):
        raise malformed(complaint, document)
    return job, document


def reason_of(state: JobState, message: str | None, code: str | None = None) -> JobError | None:
    """Return why a job failed or was cancelled, if it did and its service says so."""
    return JobError(code or None, message or None) if state in _UNWANTED and (message or code) else None


def begun(*times: datetime | None) -> tuple[Milestone, ...]:
    """Return when a job began to run, as far as its object says so."""
    return tuple(Milestone(JobState.RUNNING, at) for at in times if at)
