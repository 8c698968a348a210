"""Fireworks AI's fine-tuning API."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from watcher.domain.states import Status
from watcher.simulator.course import Course
from watcher.simulator.documents import Moment, error_of, made_up
from watcher.simulator.events import TOTAL_STEPS
from watcher.simulator.jobs_only import JobsOnly, documents_of, json_reply, query_of
from watcher.simulator.listing import Jobs, newest_first
from watcher.simulator.script import JobScript, Method
from watcher.simulator.server import Received, Reply

ACCOUNT = "accounts/example"
KINDS: Mapping[Method, str] = {
    Method.SUPERVISED: "supervisedFineTuningJobs",
    Method.DPO: "dpoJobs",
    Method.REINFORCEMENT: "reinforcementFineTuningJobs",
}
"""Each with a list of its own."""
WORDS: Mapping[str, str] = {
    Status.VALIDATING_FILES: "JOB_STATE_VALIDATING",
    Status.QUEUED: "JOB_STATE_PENDING",
    Status.RUNNING: "JOB_STATE_RUNNING",
    Status.SUCCEEDED: "JOB_STATE_COMPLETED",
    Status.FAILED: "JOB_STATE_FAILED",
    Status.CANCELLED: "JOB_STATE_CANCELLED",
}
"""Its words for the statuses of a script."""
_ENDS = {WORDS[Status.SUCCEEDED], WORDS[Status.FAILED], WORDS[Status.CANCELLED]}
_EPOCHS = 2
_USUAL_PAGE = 50


def _error(status: HTTPStatus, code: str, message: str) -> Reply:
    return json_reply({"error": {"code": code, "message": message}}, status)


class Fireworks(JobsOnly):
    """Jobs lie at `/v1/accounts/example/supervisedFineTuningJobs` and beside it."""

    tells_progress = True
    path = re.compile(rf"/v1/{ACCOUNT}/(?P<kind>{'|'.join(KINDS.values())})(?:/(?P<id>[^/]+))?")
    refused = _error(HTTPStatus.UNAUTHORIZED, "UNAUTHENTICATED", "The API key you provided is invalid.")

    def script_id(self, found: re.Match[str]) -> str:
        """See `JobsOnly`: a job of a kind other than supervised is found by `kind/id`."""
        own_id = super().script_id(found)
        return own_id if found["kind"] == KINDS[Method.SUPERVISED] else f"{found['kind']}/{own_id}"

    def document(self, job: JobScript, moment: Moment) -> dict[str, Any]:
        """See `Dialect`: the output has its name from the beginning, and whoever made the job is named."""
        state = WORDS.get(moment.status, moment.status)
        output = f"{ACCOUNT}/models/{job.suffix or made_up('ft', job.id)}"
        models = {"baseModel": f"accounts/fireworks/models/{job.model}", "outputModel": output}
        is_supervised = job.method is Method.SUPERVISED
        document: dict[str, Any] = {
            "name": f"{ACCOUNT}/{KINDS[job.method]}/{job.id.rpartition('/')[2]}",
            "displayName": job.suffix or "",
            "createTime": _time(moment.created_at),
            "updateTime": _time(moment.updated_at or moment.since),
            "dataset": f"{ACCOUNT}/datasets/{made_up('data', job.id)}",
            "createdBy": "user@example.com",
            "trainerLogsSignedUrl": "https://storage.example/trainer.log?X-Goog-Signature=0123456789abcdef",
            "state": state,
            "status": _status(job, moment),
            **(models if is_supervised else {"trainingConfig": models}),
        }
        if is_supervised:
            document |= {"epochs": _EPOCHS, "jobProgress": _progress(moment)}
        if state in _ENDS:
            document["completedTime"] = _time(moment.since)
        return {**document, **job.fields, **moment.fields}

    def page(self, jobs: Jobs, received: Received) -> tuple[Reply, Sequence[Course]]:
        """See `Dialect`: the jobs of one kind, by name unless another order is asked for."""
        kind = received.path.rpartition("/")[2]
        query = query_of(received)
        listed = [course for course in jobs.all() if KINDS[course.job.method] == kind]
        if query.get("orderBy") != "createTime desc":
            listed.sort(key=lambda course: course.job.id, reverse=True)
        page, token = newest_first(listed, query.get("pageToken"), int(query.get("pageSize", _USUAL_PAGE)))
        documents = documents_of(page, received.at)
        body = {kind: documents, "nextPageToken": token or "", "totalSize": len(listed)}
        return json_reply(body), page

    def unknown_job(self, job_id: str) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, "NOT_FOUND", f"Job {job_id} not found.")

    def unknown_url(self, received: Received) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, "NOT_FOUND", f"Unknown path {received.path}")


def _status(job: JobScript, moment: Moment) -> dict[str, str]:
    if moment.status != Status.FAILED:
        return {"code": "OK", "message": ""}
    return {"code": "INVALID_ARGUMENT", "message": str(error_of(job).get("message") or "The job failed")}


def _progress(moment: Moment) -> dict[str, int]:
    """Return the epoch, counted from 0, and how much of it is done."""
    epoch, done = divmod(moment.steps * _EPOCHS, TOTAL_STEPS)
    is_over = epoch == _EPOCHS
    return {"epoch": epoch - is_over, "percent": 100 if is_over else 100 * done // TOTAL_STEPS}


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}001Z"
