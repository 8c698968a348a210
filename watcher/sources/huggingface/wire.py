"""What Hugging Face says of a job and of a list of them, which is a bare array.

`durations` are counted anew for each answer, so that no two of them are the same.
"""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import urlsplit

from pydantic import AliasPath, Field, RootModel

from watcher.domain.jobs import JobFacts, JobKey, Observation, Page
from watcher.domain.states import JobState, is_terminal
from watcher.sources.decoding import read, text_of
from watcher.sources.huggingface.states import HUGGINGFACE_STATES
from watcher.sources.job_object import JobObject, begun, read_job, reason_of
from watcher.sources.lenient import Text, Timestamp, Tolerant, Words
from watcher.sources.listing import ListEntry, Metadata, Moment, listed_jobs

_NEXT = re.compile(r"<([^<>]{1,2000})>\s*;[^,<]{0,200}\brel=\"?next\b")
"""In a header `Link`: the URL of the next page."""


class ContainerJob(JobObject):
    """A job."""

    status: str = Field(validation_alias=AliasPath("status", "stage"))
    message: Words = Field(None, validation_alias=AliasPath("status", "message"))
    created_at: Timestamp = Field(None, alias="createdAt")
    started_at: Timestamp = Field(None, alias="startedAt")
    finished_at: Timestamp = Field(None, alias="finishedAt")

    def facts(self, state: JobState, page_url: str) -> JobFacts:
        """Return the parts that messages speak of: no job of this kind names a model."""
        return JobFacts(
            created_at=self.created_at,
            finished_at=self.finished_at if is_terminal(state) else None,
            error=reason_of(state, self.message),
            page_url=page_url,
        )


class Entry(ListEntry):
    """A job in the list, which is a whole object."""

    status: Text = Field(None, validation_alias=AliasPath("status", "stage"))
    created_at: Moment = Field(None, alias="createdAt")
    metadata: Metadata = Field(None, alias="labels")


Listed = RootModel[list[Tolerant[Entry]]]


def parse(body: bytes, key: JobKey, at: datetime, pages: str) -> Observation:
    """Read the answer to a retrieve, received at the time given: see `read_job`.

    Below `pages` each job has a page for people.
    """
    job, document = read_job(ContainerJob, body, key)
    state = HUGGINGFACE_STATES(job.status)
    facts = job.facts(state, f"{pages}/{job.id}")
    return Observation(key, job.status, state, at, facts, document, milestones=begun(job.started_at))


def parse_page(body: bytes, link: str, asked: str | None) -> Page:
    """Read a page of the list, which was asked for by this cursor; the header `Link` names the next one.

    Raises MalformedResponseError for no list.
    """
    jobs, _ = listed_jobs(read(Listed, text_of(body)).root)
    cursor = _cursor_of(link)
    return Page(jobs, cursor if cursor != asked else None)


def _cursor_of(link: str) -> str | None:
    """Return the query of the URL of the next page: only that is used, so that no answer sends the key elsewhere."""
    found = _NEXT.search(link)
    try:
        return urlsplit(found[1]).query or None if found else None
    except ValueError:
        return None
