"""The batch object: requests that are answered together, within a day.

Only `id` and `status` can be relied on. `completed` says that all requests were tried, not that all succeeded.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from watcher.domain.jobs import JobError, JobFacts, JobKey, Observation, Progress, ProgressUnit
from watcher.domain.states import JobState, StateMap
from watcher.sources.job_object import JobObject, begun, read_job
from watcher.sources.lenient import Count, Part, Text, Timestamp, Tolerant

_PATH = (JobState.VALIDATING, JobState.RUNNING)


class RequestCounts(Part):
    """How many requests there are, and what became of them."""

    total: Count = None
    completed: Count = None
    failed: Count = None


class BatchError(Part):
    """Why a batch was refused: mostly a line of its input."""

    code: Text = None
    message: Text = None
    param: Text = None
    line: Count = None


class BatchErrors(Part):
    """Why a batch was refused."""

    data: Tolerant[list[Tolerant[BatchError]]] = None


class Batch(JobObject):
    """A batch. What is not set is null, and at Azure `""`."""

    model: Text = None
    """Not documented by Azure."""
    created_at: Timestamp = None
    in_progress_at: Timestamp = None
    finalizing_at: Timestamp = None
    completed_at: Timestamp = None
    failed_at: Timestamp = None
    expired_at: Timestamp = None
    cancelled_at: Timestamp = None
    request_counts: Tolerant[RequestCounts] = None
    output_file_id: Text = None
    error_file_id: Text = None
    errors: Tolerant[BatchErrors] = None

    def facts(self) -> JobFacts:
        """Return the parts that messages speak of."""
        return JobFacts(
            model=self.model or None,
            created_at=self.created_at,
            finished_at=self.completed_at or self.failed_at or self.expired_at or self.cancelled_at,
            error=self._error(),
            more=tuple(self._details()),
        )

    def progress(self, at: datetime) -> Progress | None:
        """Return how many requests were tried."""
        counts = self.request_counts
        if counts is None or not counts.total:
            return None
        tried = (counts.completed or 0) + (counts.failed or 0)
        return Progress(tried, counts.total, at, ProgressUnit.REQUESTS) if tried <= counts.total else None

    def _details(self) -> Iterator[tuple[str, str]]:
        counts = self.request_counts or RequestCounts()
        if counts.total:
            failed = f", {counts.failed:,} failed" if counts.failed else ""
            yield "Requests", f"{counts.completed or 0:,} of {counts.total:,} completed{failed}"
        if self.output_file_id:
            yield "Output file", self.output_file_id
        if self.error_file_id:
            yield "Error file", self.error_file_id

    def _error(self) -> JobError | None:
        """Return the first error, with the number of the others."""
        errors = [error for error in (self.errors and self.errors.data) or () if error]
        if not errors:
            return None
        first, others = errors[0], len(errors) - 1
        where = f"line {first.line}: " if first.line is not None else ""
        more = f" (and {others:,} more)" if others else ""
        return JobError(first.code, f"{where}{first.message}{more}" if first.message else None, first.param)


def parse(body: bytes, key: JobKey, at: datetime, states: StateMap) -> Observation:
    """Read the answer to a retrieve of a batch, received at the time given: see `read_job`."""
    batch, document = read_job(Batch, body, key)
    # As OpenAI's own webhooks name it: what reads fine-tuning jobs would not find this one.
    word = f"batch.{batch.status}"
    state = states(batch.status)
    return Observation(
        key,
        batch.status,
        state,
        at,
        facts=batch.facts(),
        document=document,
        event_word=word,
        path=_PATH,
        progress=batch.progress(at),
        milestones=begun(batch.in_progress_at, batch.finalizing_at),
    )
