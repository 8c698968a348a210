"""Mistral's fine-tuning API: OpenAI's path, with words and pages of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from watcher.domain.states import Status
from watcher.simulator import refusals
from watcher.simulator.course import Course
from watcher.simulator.dialect import Asked
from watcher.simulator.dialects.openai import asked_by
from watcher.simulator.documents import TRAINED_TOKENS, Moment, made_up, seconds
from watcher.simulator.listing import Jobs
from watcher.simulator.refusals import JSON
from watcher.simulator.script import JobScript
from watcher.simulator.server import Received, Reply

WORDS: Mapping[str, str] = {
    Status.VALIDATING_FILES: "VALIDATING",
    Status.QUEUED: "QUEUED",
    Status.RUNNING: "RUNNING",
    Status.SUCCEEDED: "SUCCESS",
    Status.FAILED: "FAILED",
    Status.CANCELLED: "CANCELLED",
}
"""Its words for the statuses of a script."""
_STEPS = 100
_SHORTENED_BY = ("events", "checkpoints")


class Mistral:
    """Jobs lie at `/v1/fine_tuning/jobs`."""

    base_path = "/v1"
    tells_progress = False
    _path = re.compile(r"/v1/fine_tuning/jobs(?:/(?P<id>[^/]+)(?P<events>(?!))?)?")

    def find(self, received: Received) -> Asked | None:
        """See `Dialect`."""
        return asked_by(self._path, received)

    def refusal(self, received: Received, api_key: str) -> Reply | None:
        """See `Dialect`."""
        return None if refusals.bearer_of(received) == api_key else _error(HTTPStatus.UNAUTHORIZED, "Unauthorized")

    def document(self, job: JobScript, moment: Moment) -> dict[str, Any]:
        """See `Dialect`: there is no time of the end, and no reason of a failure."""
        status = WORDS.get(moment.status, moment.status)
        succeeded = status == "SUCCESS"
        document = {
            "id": job.id,
            "auto_start": True,
            "hyperparameters": {"training_steps": _STEPS, "learning_rate": 0.0001, "epochs": None, "fim_ratio": None},
            "model": job.model,
            "status": status,
            "job_type": "FT",
            "created_at": seconds(moment.created_at),
            "modified_at": seconds(moment.since),
            "training_files": [made_up("file", job.id, "training")],
            "validation_files": [],
            "object": "job",
            "fine_tuned_model": f"ft:{job.model}:simulated" if succeeded else None,
            "suffix": job.suffix,
            "integrations": [],
            "trained_tokens": TRAINED_TOKENS if succeeded else None,
            "repositories": [],
            "metadata": {"expected_duration_seconds": None, "cost": None, "estimated_start_time": None},
            "events": [
                {"name": "status-updated", "created_at": seconds(passage.since)}
                for passage in reversed(moment.passages)
            ],
            "checkpoints": [],
        }
        return {**document, **job.fields, **moment.fields}

    def page(self, jobs: Jobs, received: Received) -> tuple[Reply, Sequence[Course]]:
        """See `Dialect`: so many jobs from the newest on, by the number of the page."""
        given = parse_qs(received.query)
        number, size = (int(given.get(name, [usual])[0]) for name, usual in (("page", "0"), ("page_size", "100")))
        newest_first = list(reversed(jobs.all()))
        listed = newest_first[number * size : (number + 1) * size]
        data = [_shortened(json.loads(course.body(received.at))) for course in listed]
        answer = {"data": data, "total": len(newest_first), "object": "list"}
        return Reply(HTTPStatus.OK, JSON, json.dumps(answer).encode()), listed

    def events(self, course: Course, received: Received) -> Reply:  # noqa: ARG002 - they stand in the job object
        """See `Dialect`."""
        return self.unknown_url(received)

    def unknown_job(self, job_id: str) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, f"Job {job_id} not found")

    def unknown_url(self, received: Received) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, f"no Route matched with {received.path}")


def _shortened(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in _SHORTENED_BY}


def _error(status: HTTPStatus, message: str) -> Reply:
    return Reply(status, JSON, json.dumps({"message": message}).encode())
