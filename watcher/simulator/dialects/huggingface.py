"""Hugging Face's jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlencode

from watcher.domain.states import Status
from watcher.simulator.course import Course
from watcher.simulator.documents import Moment, error_of
from watcher.simulator.jobs_only import JobsOnly, documents_of, json_reply, query_of
from watcher.simulator.listing import Jobs, newest_first
from watcher.simulator.script import JobScript
from watcher.simulator.server import Received, Reply

WORDS: Mapping[str, str] = {
    Status.VALIDATING_FILES: "SCHEDULING",
    Status.QUEUED: "SCHEDULING",
    Status.RUNNING: "RUNNING",
    Status.SUCCEEDED: "COMPLETED",
    Status.FAILED: "ERROR",
    Status.CANCELLED: "CANCELED",
}
"""Its words for the statuses of a script."""
_ENDS = {WORDS[Status.SUCCEEDED], WORDS[Status.FAILED], WORDS[Status.CANCELLED]}
_OWNER = {"id": "000000000000000000000001", "name": "example", "type": "user"}
_PAGE_SIZE = 100


def _error(status: HTTPStatus, message: str) -> Reply:
    return json_reply({"error": message}, status)


class HuggingFace(JobsOnly):
    """Jobs lie at `/api/jobs/example`."""

    path = re.compile(r"/api/jobs/example(?:/(?P<id>[^/]+))?")
    refused = _error(HTTPStatus.UNAUTHORIZED, "Invalid username or password.")

    def document(self, job: JobScript, moment: Moment) -> dict[str, Any]:
        """See `Dialect`: a job is a container, which names no model."""
        stage = WORDS.get(moment.status, moment.status)
        message = str(error_of(job).get("message") or "Job failed with exit code: 1")
        document = {
            "id": job.id,
            "createdAt": _time(moment.created_at),
            "startedAt": _time(moment.started_at) if moment.started_at else None,
            "finishedAt": _time(moment.since) if stage in _ENDS else None,
            "dockerImage": "python:3.12",
            "spaceId": None,
            "command": ["python", "train.py"],
            "arguments": [],
            "environment": {"WANDB_PROJECT": "example"},
            "flavor": "a10g-small",
            "labels": dict(job.metadata),
            "status": {"stage": stage, "message": message if stage == WORDS[Status.FAILED] else None},
            "owner": dict(_OWNER),
        }
        return {**document, **job.fields, **moment.fields}

    def page(self, jobs: Jobs, received: Received) -> tuple[Reply, Sequence[Course]]:
        """See `Dialect`: a bare array; the next page is named in a header, at the host of the service itself."""
        labels = parse_qs(received.query, keep_blank_values=True).get("label", [])
        wanted = {label.partition("=")[::2] for label in labels}
        listed = [course for course in jobs.all() if wanted <= course.job.metadata.items()]
        page, token = newest_first(listed, query_of(received).get("cursor"), _PAGE_SIZE)
        query = urlencode([*(("label", label) for label in labels), ("cursor", token)])
        link = f'<https://huggingface.co/api/jobs/example?{query}>; rel="next"'
        documents = documents_of(page, received.at)
        return json_reply(documents, headers={"link": link} if token else {}), page

    def unknown_job(self, job_id: str) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, f"Job {job_id} not found")

    def unknown_url(self, received: Received) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, f"Unknown path {received.path}")


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
