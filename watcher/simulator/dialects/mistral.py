"""Mistral's fine-tuning API: OpenAI's path, with words and pages of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from watcher.domain.states import Status
from watcher.simulator.course import Course
from watcher.simulator.documents import TRAINED_TOKENS, Moment, made_up, seconds
from watcher.simulator.events import TOTAL_STEPS, events_of
from watcher.simulator.jobs_only import JobsOnly, documents_of, json_reply, query_of
from watcher.simulator.listing import Jobs
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
_STEPS_BETWEEN = 20
"""Training steps from one checkpoint to the next."""
_METRICS = ("train_loss", "valid_loss")
_SHORTENED_BY = ("events", "checkpoints")


def _error(status: HTTPStatus, message: str) -> Reply:
    return json_reply({"message": message}, status)


class Mistral(JobsOnly):
    """Jobs lie at `/v1/fine_tuning/jobs`."""

    base_path = "/v1"
    tells_progress = True
    path = re.compile(r"/v1/fine_tuning/jobs(?:/(?P<id>[^/]+))?")
    refused = _error(HTTPStatus.UNAUTHORIZED, "Unauthorized")

    def document(self, job: JobScript, moment: Moment) -> dict[str, Any]:
        """See `Dialect`: there is no time of the end, and no reason of a failure."""
        status = WORDS.get(moment.status, moment.status)
        succeeded = status == "SUCCESS"
        document = {
            "id": job.id,
            "auto_start": True,
            "hyperparameters": {
                "training_steps": TOTAL_STEPS,
                "learning_rate": 0.0001,
                "epochs": None,
                "fim_ratio": None,
            },
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
            "checkpoints": list(_checkpoints(job, moment)),
        }
        return {**document, **job.fields, **moment.fields}

    def page(self, jobs: Jobs, received: Received) -> tuple[Reply, Sequence[Course]]:
        """See `Dialect`: so many jobs from the newest on, by the number of the page."""
        given = query_of(received)
        number, size = (int(given.get(name, usual)) for name, usual in (("page", "0"), ("page_size", "100")))
        newest_first = list(reversed(jobs.all()))
        listed = newest_first[number * size : (number + 1) * size]
        data = list(map(_shortened, documents_of(listed, received.at)))
        answer = {"data": data, "total": len(newest_first), "object": "list"}
        return json_reply(answer), listed

    def unknown_job(self, job_id: str) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, f"Job {job_id} not found")

    def unknown_url(self, received: Received) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, f"no Route matched with {received.path}")


def _checkpoints(job: JobScript, moment: Moment) -> Iterator[dict[str, Any]]:
    for event in events_of(job, moment.passages, moment.updated_at or moment.since):
        step = event.data.get("step", 0)
        if step and step % _STEPS_BETWEEN == 0:
            metrics = {name: event.data[name] for name in _METRICS}
            yield {"metrics": metrics, "step_number": step, "created_at": seconds(event.at)}


def _shortened(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in _SHORTENED_BY}
