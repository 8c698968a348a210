"""What Replicate says of a training and of a list of them."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from pydantic import AliasPath, Field

from watcher.domain.jobs import JobFacts, JobKey, Observation, Page
from watcher.domain.states import JobState, is_terminal
from watcher.sources.decoding import read, text_of
from watcher.sources.job_object import JobObject, begun, read_job, reason_of
from watcher.sources.lenient import Part, Text, Timestamp, Tolerant, Words
from watcher.sources.listing import ListEntry, listed_jobs
from watcher.sources.replicate.states import REPLICATE_STATES


class Training(JobObject):
    """A training."""

    model: Text = None
    result: Text = Field(None, validation_alias=AliasPath("output", "version"))
    created_at: Timestamp = None
    started_at: Timestamp = None
    completed_at: Timestamp = None
    error: Words = None

    def facts(self, state: JobState) -> JobFacts:
        """Return the parts that messages speak of."""
        return JobFacts(
            model=self.model or None,
            fine_tuned_model=self.result or None if state is JobState.SUCCEEDED else None,
            created_at=self.created_at,
            finished_at=self.completed_at if is_terminal(state) else None,
            error=reason_of(state, self.error),
        )


class Listed(Part):
    """A page of the list."""

    results: list[Tolerant[ListEntry]] | None
    next: Text = None
    """The URL of the next page."""


def parse(body: bytes, key: JobKey, at: datetime) -> Observation:
    """Read the answer to a retrieve, received at the time given: see `read_job`."""
    job, document = read_job(Training, body, key)
    state = REPLICATE_STATES(job.status)
    return Observation(key, job.status, state, at, job.facts(state), document, milestones=begun(job.started_at))


def parse_page(body: bytes, asked: str | None) -> Page:
    """Read a page of the list, which was asked for by this cursor. Raises MalformedResponseError for no list."""
    listed = read(Listed, text_of(body))
    cursor = _cursor_of(listed.next or "")
    return Page(listed_jobs(listed.results or ())[0], cursor if cursor != asked else None)


def _cursor_of(url: str) -> str | None:
    """Return the cursor in the URL of the next page: only that is used, so that no answer sends the key elsewhere."""
    try:
        query = urlsplit(url).query
    except ValueError:
        return None
    return next(iter(parse_qs(query).get("cursor", ())), None)
