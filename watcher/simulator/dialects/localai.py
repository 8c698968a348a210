"""LocalAI's fine-tuning API."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from watcher.domain.states import Status
from watcher.simulator.course import Course
from watcher.simulator.documents import Moment, error_of
from watcher.simulator.jobs_only import JobsOnly, documents_of, json_reply
from watcher.simulator.listing import Jobs
from watcher.simulator.script import JobScript
from watcher.simulator.server import Received, Reply

WORDS: Mapping[str, str] = {
    Status.VALIDATING_FILES: "queued",
    Status.RUNNING: "training",
    Status.SUCCEEDED: "completed",
    Status.CANCELLED: "stopped",
}
"""Its words for the statuses of a script, where they are not the same."""


def _error(status: HTTPStatus, message: str) -> Reply:
    return json_reply({"error": message}, status)


class LocalAI(JobsOnly):
    """Jobs lie at `/api/fine-tuning/jobs`."""

    path = re.compile(r"/api/fine-tuning/jobs(?:/(?P<id>[^/]+))?")
    refused = _error(HTTPStatus.UNAUTHORIZED, "invalid API key")

    def document(self, job: JobScript, moment: Moment) -> dict[str, Any]:
        """See `Dialect`: there is no time of the end."""
        status = WORDS.get(moment.status, moment.status)
        document = {
            "id": job.id,
            "model": job.model,
            "backend": "trl",
            "training_type": "lora",
            "training_method": "sft",
            "status": status,
            "message": str(error_of(job).get("message") or "") if status == "failed" else "",
            "output_dir": f"fine-tune/{job.id}",
            "created_at": _time(moment.created_at),
        }
        if status == "completed" and job.suffix:
            document |= {"export_status": "completed", "export_model_name": job.suffix}
        return {**document, **job.fields, **moment.fields}

    def page(self, jobs: Jobs, received: Received) -> tuple[Reply, Sequence[Course]]:
        """See `Dialect`: all jobs, the newest first; the list is the whole answer."""
        listed = list(reversed(jobs.all()))
        return json_reply(documents_of(listed, received.at)), listed

    def unknown_job(self, job_id: str) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, f"job not found: {job_id}")

    def unknown_url(self, received: Received) -> Reply:  # noqa: ARG002 - whatever was asked for
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, "Resource not found")


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
