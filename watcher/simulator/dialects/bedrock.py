"""AWS Bedrock's jobs of model customization."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from watcher.domain.states import Status
from watcher.simulator.course import Course
from watcher.simulator.documents import Moment, error_of, made_up
from watcher.simulator.jobs_only import JobsOnly, documents_of, json_reply, query_of
from watcher.simulator.listing import Jobs, newest_first
from watcher.simulator.script import JobScript
from watcher.simulator.server import Received, Reply

WORDS: Mapping[str, str] = {
    Status.VALIDATING_FILES: "InProgress",
    Status.QUEUED: "InProgress",
    Status.RUNNING: "InProgress",
    Status.SUCCEEDED: "Completed",
    Status.FAILED: "Failed",
    Status.CANCELLED: "Stopped",
}
"""Its words for the statuses of a script."""
_ARN = "arn:aws:bedrock:us-east-1:123456789012"
_ENDS = {WORDS[Status.SUCCEEDED], WORDS[Status.FAILED], WORDS[Status.CANCELLED]}
_USUAL_PAGE = 100
_OUTPUT = ("ModelName", "ModelArn")
_LISTED = ("jobArn", "jobName", "baseModelArn", "status", "creationTime", "lastModifiedTime", "endTime")


def _error(status: HTTPStatus, name: str, message: str) -> Reply:
    return json_reply({"message": message}, status, {"x-amzn-errortype": f"{name}:http://internal.example/{name}"})


class Bedrock(JobsOnly):
    """Jobs lie at `/model-customization-jobs`."""

    path = re.compile(r"/model-customization-jobs(?:/(?P<id>[^/]+))?")
    # AWS knows no 401.
    refused = _error(HTTPStatus.FORBIDDEN, "AccessDeniedException", "Authentication failed: the API key is not valid.")

    def script_id(self, found: re.Match[str]) -> str:
        """See `JobsOnly`: a job is found by its name, and by its ARN, which ends in the name."""
        return super().script_id(found).rpartition("/")[2]

    def document(self, job: JobScript, moment: Moment) -> dict[str, Any]:
        """See `Dialect`: there is no queue, and the output has its name from the beginning."""
        status = WORDS.get(moment.status, moment.status)
        document = {
            "jobArn": f"{_ARN}:model-customization-job/{job.model}/{job.id}",
            "jobName": job.id,
            "outputModelName": job.suffix or made_up("model", job.id),
            "roleArn": "arn:aws:iam::123456789012:role/example-role",
            "status": status,
            "creationTime": _time(moment.created_at),
            "lastModifiedTime": _time(moment.since),
            "baseModelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{job.model}",
            "hyperParameters": {"epochCount": "2"},
            "customizationType": "FINE_TUNING",
        }
        if status in _ENDS:
            document["endTime"] = _time(moment.since)
        if status == WORDS[Status.SUCCEEDED]:
            document["outputModelArn"] = f"{_ARN}:custom-model/{job.model}/{made_up('m', job.id)}"
        if status == WORDS[Status.FAILED]:
            document["failureMessage"] = str(error_of(job).get("message") or "The job failed.")
        return {**document, **job.fields, **moment.fields}

    def page(self, jobs: Jobs, received: Received) -> tuple[Reply, Sequence[Course]]:
        """See `Dialect`: summaries, the newest first, as the watcher asks for them."""
        query = query_of(received)
        page, token = newest_first(jobs.all(), query.get("nextToken"), int(query.get("maxResults", _USUAL_PAGE)))
        documents = documents_of(page, received.at)
        summaries = list(map(_summary, documents))
        body = {"modelCustomizationJobSummaries": summaries, **({"nextToken": token} if token else {})}
        return json_reply(body), page

    def unknown_job(self, job_id: str) -> Reply:
        """See `Dialect`."""
        message = f"The requested resource was not found: {job_id}"
        return _error(HTTPStatus.NOT_FOUND, "ResourceNotFoundException", message)

    def unknown_url(self, received: Received) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, "UnknownOperationException", f"Unknown path {received.path}")


def _summary(document: Mapping[str, Any]) -> dict[str, Any]:
    """Shorten an object for the list, which calls the output otherwise."""
    summary = {name: document[name] for name in _LISTED if name in document}
    return {
        **summary,
        **{f"custom{name}": document[f"output{name}"] for name in _OUTPUT if f"output{name}" in document},
    }


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
