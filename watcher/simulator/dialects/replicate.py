"""Replicate's trainings."""

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
from watcher.simulator.documents import Moment, error_of, made_up
from watcher.simulator.listing import Jobs, newest_first
from watcher.simulator.refusals import JSON
from watcher.simulator.script import Endpoint, JobScript
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


class Replicate:
    """Jobs lie at `/v1/trainings`."""

    base_path = "/v1"
    tells_progress = False
    _path = re.compile(r"/v1/trainings(?:/(?P<id>[^/]+))?")

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
        return _error(HTTPStatus.UNAUTHORIZED, "You did not pass a valid authentication token")

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
            "started_at": None if status == "starting" else _time(moment.since),
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
        cursor = parse_qs(received.query).get("cursor", [None])[0]
        page, token = newest_first(jobs.all(), cursor, _PAGE_SIZE)
        following = f"https://api.replicate.com/v1/trainings?{urlencode({'cursor': token})}" if token else None
        results = [json.loads(course.body(received.at)) for course in page]
        body = {"previous": None, "next": following, "results": results}
        return Reply(HTTPStatus.OK, JSON, json.dumps(body).encode()), page

    def events(self, course: Course, received: Received) -> Reply:  # noqa: ARG002 - it keeps none
        """See `Dialect`."""
        return self.unknown_url(received)

    def unknown_job(self, job_id: str) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, f"The training {job_id} does not exist")

    def unknown_url(self, received: Received) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, f"Unknown path {received.path}")


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def _error(status: HTTPStatus, detail: str) -> Reply:
    return Reply(status, JSON, json.dumps({"detail": detail, "status": int(status)}).encode())
