"""What LocalAI says of a job and of all jobs."""

from __future__ import annotations

from datetime import datetime

from pydantic import RootModel

from watcher.domain.jobs import JobFacts, JobKey, Observation, Page
from watcher.domain.states import JobState
from watcher.sources.decoding import read, text_of
from watcher.sources.job_object import JobObject, read_job, reason_of
from watcher.sources.lenient import Text, Timestamp, Tolerant, Words
from watcher.sources.listing import ListEntry, listed_jobs
from watcher.sources.localai.states import LOCALAI_STATES

_PATH = (JobState.QUEUED, JobState.RUNNING)


class Job(JobObject):
    """A job."""

    model: Text = None
    message: Words = None
    """Why it failed, when it failed."""
    created_at: Timestamp = None
    output_dir: Text = None
    """On the server's disk."""
    export_model_name: Text = None
    """What its owner had the result named, which is done after the end."""

    def facts(self, state: JobState) -> JobFacts:
        """Return the parts that messages speak of."""
        return JobFacts(
            model=self.model or None,
            fine_tuned_model=self.export_model_name or None,
            created_at=self.created_at,
            error=reason_of(state, self.message),
            more=(("Output folder", self.output_dir),) if state is JobState.SUCCEEDED and self.output_dir else (),
        )


class _Listed(RootModel[list[Tolerant[ListEntry]]]):
    """All jobs: the list is the whole answer."""


def parse(body: bytes, key: JobKey, at: datetime) -> Observation:
    """Read the answer to a retrieve, received at the time given: see `read_job`."""
    job, document = read_job(Job, body, key)
    state = LOCALAI_STATES(job.status)
    return Observation(key, job.status, state, at, job.facts(state), document, path=_PATH)


def parse_page(body: bytes) -> Page:
    """Read the list, which is one page. Raises MalformedResponseError for anything but a list."""
    jobs, _ = listed_jobs(read(_Listed, text_of(body)).root)
    return Page(jobs, None)
