"""Google Vertex AI's tuning jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from watcher.domain.states import Status
from watcher.simulator.course import Course
from watcher.simulator.documents import TRAINED_TOKENS, Moment, error_of, made_up
from watcher.simulator.events import TOTAL_STEPS
from watcher.simulator.jobs_only import JobsOnly, documents_of, json_reply, query_of
from watcher.simulator.listing import Jobs, newest_first
from watcher.simulator.script import JobScript
from watcher.simulator.server import Received, Reply

PARENT = "projects/123456789012/locations/us-central1"
"""What names of jobs begin with: the number of the project, whatever was asked for."""
WORDS: Mapping[str, str] = {
    Status.VALIDATING_FILES: "JOB_STATE_PENDING",
    Status.QUEUED: "JOB_STATE_QUEUED",
    Status.RUNNING: "JOB_STATE_RUNNING",
    Status.SUCCEEDED: "JOB_STATE_SUCCEEDED",
    Status.FAILED: "JOB_STATE_FAILED",
    Status.CANCELLED: "JOB_STATE_CANCELLED",
}
"""Its words for the statuses of a script."""
_ENDS = {WORDS[Status.SUCCEEDED], WORDS[Status.FAILED], WORDS[Status.CANCELLED]}
_USUAL_PAGE = 100
_INTERNAL = 13


def _error(status: HTTPStatus, word: str, message: str) -> Reply:
    return json_reply({"error": {"code": int(status), "message": message, "status": word}}, status)


class Vertex(JobsOnly):
    """Jobs lie at `/v1/projects/{project}/locations/us-central1/tuningJobs`, whatever the project is called."""

    base_path = "/v1"
    tells_progress = True
    path = re.compile(r"/v1/projects/[^/]+/locations/us-central1/tuningJobs(?:/(?P<id>[^/]+))?")
    refused = _error(
        HTTPStatus.UNAUTHORIZED,
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials. Expected OAuth 2 access token.",
    )

    def document(self, job: JobScript, moment: Moment) -> dict[str, Any]:
        """See `Dialect`: whole numbers are texts, and what is not set is absent."""
        state = WORDS.get(moment.status, moment.status)
        statistics: dict[str, Any] = {
            "totalBillableTokenCount": str(TRAINED_TOKENS),
            "userDatasetExamples": [{"role": "user", "parts": [{"text": "a line of the training data"}]}],
        }
        document = {
            "name": f"{PARENT}/tuningJobs/{job.id}",
            "tunedModelDisplayName": job.suffix or "",
            "baseModel": job.model,
            "state": state,
            "createTime": _time(moment.created_at),
            "updateTime": _time(moment.updated_at or moment.since),
            "labels": dict(job.metadata),
            "tuningDataStats": {"supervisedTuningDataStats": statistics},
        }
        if moment.started_at:
            document["startTime"] = _time(moment.started_at)
        if state == WORDS[Status.RUNNING]:
            statistics["tuningStepCount"] = str(TOTAL_STEPS)
            document["tuningJobMetadata"] = {"completedEpochCount": "0", "completedStepCount": str(moment.steps)}
        if state in _ENDS:
            document["endTime"] = _time(moment.since)
        if state == WORDS[Status.SUCCEEDED]:
            document["tunedModel"] = {
                "model": f"{PARENT}/models/{made_up('model', job.id)}@1",
                "endpoint": f"{PARENT}/endpoints/{made_up('endpoint', job.id)}",
                "checkpoints": [{"checkpointId": "1", "epoch": "1", "step": str(TOTAL_STEPS)}],
            }
        if state == WORDS[Status.FAILED]:
            document["error"] = {"code": _INTERNAL, "message": str(error_of(job).get("message") or "Internal error")}
        return {**document, **job.fields, **moment.fields}

    def page(self, jobs: Jobs, received: Received) -> tuple[Reply, Sequence[Course]]:
        """See `Dialect`: an empty page is an empty object."""
        query = query_of(received)
        size = int(query.get("pageSize", _USUAL_PAGE))
        page, token = newest_first(jobs.all(), query.get("pageToken"), size)
        body: dict[str, Any] = {"tuningJobs": documents_of(page, received.at)} if page else {}
        if token:
            body["nextPageToken"] = token
        return json_reply(body), page

    def unknown_job(self, job_id: str) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, "NOT_FOUND", f"The TuningJob {job_id} does not exist.")

    def unknown_url(self, received: Received) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, "NOT_FOUND", f"Unknown path {received.path}")


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"
