"""Replicate's trainings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from watcher.domain.states import Status
from watcher.simulator.course import Course
from watcher.simulator.documents import Moment, error_of, made_up
from watcher.simulator.jobs_only import JobsOnly, documents_of, json_reply, query_of
from watcher.simulator.listing import Jobs, newest_first
from watcher.simulator.script import JobScript
from watcher.simulator.server import Received, Reply

WORDS: Mapping[str, str] = {
    Status.VALIDATING_FILES: "starting",
    Status.QUEUED: "starting",
    Status.RUNNING: "processing",
    Status.CANCELLED: "canceled",
}
"""Its words for the statuses of a script, where they are not the same."""
_ENDS = {Status.SUCCEEDED, Status.FAILED, "canceled"}
_PAGE_SIZE = 100


def _error(status: HTTPStatus, detail: str) -> Reply:
    return json_reply({"detail": detail, "status": int(status)}, status)


class Replicate(JobsOnly):
    """Jobs lie at `/v1/trainings`."""

    base_path = "/v1"
    path = re.compile(r"/v1/trainings(?:/(?P<id>[^/]+))?")
    refused = _error(HTTPStatus.UNAUTHORIZED, "You did not pass a valid authentication token")

    def document(self, job: JobScript, moment: Moment) -> dict[str, Any]:
        """See `Dialect`."""
        status = WORDS.get(moment.status, moment.status)
        succeeded = status == Status.SUCCEEDED
        version = f"example/{job.suffix or 'model'}:{made_up('v', job.id)}"
        url = f"https://api.replicate.com/v1/trainings/{job.id}"
        document: dict[str, Any] = {
            "id": job.id,
            "model": job.model,
            "version": made_up("v", job.model),
            "status": status,
            "created_at": _time(moment.created_at),
            "started_at": _time(moment.started_at) if moment.started_at else None,
            "completed_at": _time(moment.since) if status in _ENDS else None,
            "error": str(error_of(job).get("message") or "failed") if status == Status.FAILED else None,
            "input": {"input_images": "https://files.example/data.zip?signature=0123456789abcdef"},
            "logs": None,
            "metrics": {},
            "output": {"version": version, "weights": f"{url}/weights"} if succeeded else None,
            "urls": {"get": url, "cancel": f"{url}/cancel"},
        }
        return {**document, **job.fields, **moment.fields}

    def page(self, jobs: Jobs, received: Received) -> tuple[Reply, Sequence[Course]]:
        """See `Dialect`: the next page is named by its URL, at the host of the service itself."""
        cursor = query_of(received).get("cursor")
        page, token = newest_first(jobs.all(), cursor, _PAGE_SIZE)
        following = f"https://api.replicate.com/v1/trainings?{urlencode({'cursor': token})}" if token else None
        results = documents_of(page, received.at)
        body = {"previous": None, "next": following, "results": results}
        return json_reply(body), page

    def unknown_job(self, job_id: str) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, f"The training {job_id} does not exist")

    def unknown_url(self, received: Received) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, f"Unknown path {received.path}")


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
