"""What Mistral says of a job and of all jobs.

Only `id` and `status` can be relied on. There is no time of the end, and no reason of a failure.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from watcher.domain.jobs import JobFacts, JobKey, Observation, Page, Progress
from watcher.domain.states import JobState, is_terminal
from watcher.sources.decoding import read, text_of
from watcher.sources.job_object import JobObject, read_job
from watcher.sources.lenient import Count, Flag, Part, Text, Timestamp, Tolerant
from watcher.sources.listing import Fact, ListEntry, listed_jobs
from watcher.sources.mistral.states import MISTRAL_STATES, PATH

PAGE_SIZE = 100
_WAITS_FOR_ITS_OWNER = ("Waits for", "its owner to start it: auto_start is off")


class Hyperparameters(Part):
    """How it trains."""

    training_steps: Count = None


class Saved(Part):
    """What was saved of the model on the way."""

    step_number: Count = None
    created_at: Timestamp = None
    metrics: Tolerant[dict[str, Any]] = None


class Training(Part):
    """What a job object says of how it trains."""

    hyperparameters: Tolerant[Hyperparameters] = None
    checkpoints: Tolerant[list[Tolerant[Saved]]] = None

    def saved(self) -> dict[int, Saved]:
        """Return the checkpoints by step, in that order."""
        found = {each.step_number: each for each in self.checkpoints or () if each and each.step_number is not None}
        return dict(sorted(found.items()))

    def progress(self, at: datetime | None = None) -> Progress | None:
        """Return the step of the last checkpoint, of those that there are to do; `at` is when, if it does not say."""
        total, saved = self.hyperparameters and self.hyperparameters.training_steps, self.saved()
        step = max(saved, default=None)
        if not total or step is None or step > total:
            return None
        when = saved[step].created_at or at
        return Progress(step, total, when) if when else None


class FineTuningJob(Training, JobObject):
    """A job."""

    model: Text = None
    fine_tuned_model: Text = None
    """May be null on a job that succeeded."""
    created_at: Timestamp = None
    modified_at: Timestamp = None
    trained_tokens: Count = None
    suffix: Text = None
    auto_start: Flag = None

    def facts(self, state: JobState) -> JobFacts:
        """Return the parts that messages speak of."""
        waits = self.status == "VALIDATED" and self.auto_start is False
        return JobFacts(
            model=self.model or None,
            fine_tuned_model=self.fine_tuned_model or None,
            created_at=self.created_at,
            # There is no time of the end, and after it nothing changes any more.
            finished_at=self.modified_at if is_terminal(state) else None,
            trained_tokens=self.trained_tokens,
            suffix=self.suffix or None,
            more=(_WAITS_FOR_ITS_OWNER,) if waits else (),
        )


class _Entry(ListEntry):
    suffix: Fact = None

    @property
    def title(self) -> str | None:
        return self.suffix


class _Listed(Part):
    data: list[Tolerant[_Entry]] | None
    """Null where a service writes an empty list so."""
    total: Count = None


def parse(body: bytes, key: JobKey, at: datetime) -> Observation:
    """Read the answer to a retrieve, received at the time given: see `read_job`."""
    job, document = read_job(FineTuningJob, body, key)
    state = MISTRAL_STATES(job.status)
    return Observation(key, job.status, state, at, job.facts(state), document, path=PATH, progress=job.progress(at))


def parse_page(body: bytes, number: int) -> Page:
    """Read the page of this number, from 0. Raises MalformedResponseError for anything but a list."""
    listed = read(_Listed, text_of(body))
    entries = listed.data or ()
    jobs, _ = listed_jobs(entries)
    has_more = bool(entries) and (listed.total or 0) > (number + 1) * PAGE_SIZE
    return Page(jobs, str(number + 1) if has_more else None)
