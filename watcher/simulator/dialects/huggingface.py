"""Hugging Face's jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

from watcher.domain.states import Status
from watcher.simulator import refusals
from watcher.simulator.course import Course
from watcher.simulator.dialect import Asked
from watcher.simulator.documents import Moment, error_of
from watcher.simulator.listing import Jobs, newest_first
from watcher.simulator.refusals import JSON
from watcher.simulator.script import Endpoint, JobScript
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


class HuggingFace:
    """Jobs lie at `/api/jobs/example`."""

    base_path = ""
    tells_progress = False
    _path = re.compile(r"/api/jobs/example(?:/(?P<id>[^/]+))?")

    def find(self, received: Received) -> Asked | None:
        """See `Dialect`."""
        found = self._path.fullmatch(received.path)
        if found is None or received.method != "GET":
            return None
        return Asked(Endpoint.LIST) if found["id"] is None else Asked(Endpoint.RETRIEVE, unquote(found["id"]))

    def refusal(self, received: Received, api_key: str) -> Reply | None:
        """See `Dialect`."""
        if refusals.bearer_of(received) == api_key:
            return None
        return _error(HTTPStatus.UNAUTHORIZED, "Invalid username or password.")

    def document(self, job: JobScript, moment: Moment) -> dict[str, Any]:
        """See `Dialect`: a job is a container, which names no model."""
        stage = WORDS.get(moment.status, moment.status)
        message = str(error_of(job).get("message") or "Job failed with exit code: 1")
        document = {
            "id": job.id,
            "createdAt": _time(moment.created_at),
            "startedAt": None if stage == WORDS[Status.QUEUED] else _time(moment.since),
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
        cursor = parse_qs(received.query).get("cursor", [None])[0]
        page, token = newest_first(jobs.all(), cursor, _PAGE_SIZE)
        link = f'<https://huggingface.co/api/jobs/example?{urlencode({"cursor": token})}>; rel="next"'
        documents = [json.loads(course.body(received.at)) for course in page]
        headers = {**JSON, "link": link} if token else JSON
        return Reply(HTTPStatus.OK, headers, json.dumps(documents).encode()), page

    def events(self, course: Course, received: Received) -> Reply:  # noqa: ARG002 - it keeps none
        """See `Dialect`."""
        return self.unknown_url(received)

    def unknown_job(self, job_id: str) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, f"Job {job_id} not found")

    def unknown_url(self, received: Received) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, f"Unknown path {received.path}")


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def _error(status: HTTPStatus, message: str) -> Reply:
    return Reply(status, JSON, json.dumps({"error": message}).encode())
