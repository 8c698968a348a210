"""Azure's fine-tuning API: OpenAI's at two other paths, with its own keys, statuses and gaps."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from watcher.domain.states import Status
from watcher.simulator import refusals
from watcher.simulator.batches import BATCHES_PATH, batch_document, is_batch
from watcher.simulator.course import Course
from watcher.simulator.dialect import Asked
from watcher.simulator.dialects.openai import JOBS_PATH, OpenAI
from watcher.simulator.documents import Moment, job_document, made_up
from watcher.simulator.listing import page_of_events, read_cut
from watcher.simulator.refusals import JSON
from watcher.simulator.script import JobScript
from watcher.simulator.server import Received, Reply

_BASE = r"(?:/api/projects/[^/]+)?/openai(?P<v1>/v1)?"
_UNSET = ("estimated_finish", "integrations", "metadata", "organization_id", "result_files")
_UNKNOWN_TO_AZURE = ("total_steps", "train_mean_token_accuracy")


class Azure(OpenAI):
    """Jobs lie at `/openai/v1/fine_tuning/jobs`, or with a dated version at `/openai/fine_tuning/jobs`."""

    base_path = ""
    _path = re.compile(rf"{_BASE}{JOBS_PATH}")
    _batches = re.compile(rf"{_BASE}{BATCHES_PATH}")

    def find(self, received: Received) -> Asked | None:
        """See `Dialect`. Without `/v1` there has to be a version."""
        found = self._path.fullmatch(received.path) or self._batches.fullmatch(received.path)
        has_version = "api-version" in parse_qs(received.query)
        return super().find(received) if found and (found["v1"] or has_version) else None

    def refusal(self, received: Received, api_key: str) -> Reply | None:
        """See `Dialect`: a key stands in `api-key`, a token in `Authorization`."""
        given = received.headers.get("api-key") or refusals.bearer_of(received)
        if given == api_key:
            return None
        message = (
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for "
            "an active subscription and use a correct regional API endpoint for your resource."
        )
        return _error(HTTPStatus.UNAUTHORIZED, "401", message)

    def document(self, job: JobScript, moment: Moment) -> dict[str, Any]:
        """See `Dialect`: what is not set is null (`""` in a batch), and the name of a model has no colons."""
        if is_batch(job.id):
            batch = {**batch_document(job, moment)}
            del batch["model"]
            return batch | {name: batch[name] or "" for name in ("output_file_id", "error_file_id")}
        document = job_document(job, moment)
        given = {**job.fields, **moment.fields}
        document |= {name: None for name in _UNSET if name not in given}
        if not job.error and moment.status != Status.FAILED:
            document["error"] = None
        if document.get("fine_tuned_model") and "fine_tuned_model" not in given:
            document["fine_tuned_model"] = f"{job.model}.{made_up('ft', job.id, 'model')}"
        return {**document, "suffix": job.suffix, "trainingType": "globalStandard"}

    def events(self, course: Course, received: Received) -> Reply:
        """See `Dialect`: of the steps to come, Azure says nothing."""
        cut = read_cut(received.query)
        if isinstance(cut, Reply):
            return cut
        reply = page_of_events(course, cut, received.at)
        listed = json.loads(reply.body)
        for event in listed.get("data", ()):
            event["data"] = _without(event["data"])
        return Reply(reply.status_code, reply.headers, json.dumps(listed).encode())

    def unknown_job(self, job_id: str) -> Reply:
        """See `Dialect`."""
        return _error(
            HTTPStatus.NOT_FOUND,
            "notFound",
            f"The specified fine-tune job {job_id} does not exist.",
        )

    def unknown_url(self, received: Received) -> Reply:  # noqa: ARG002 - the same for every request
        """See `Dialect`: the same for a wrong path and for a wrong version."""
        return _error(HTTPStatus.NOT_FOUND, "404", "Resource not found")


def _without(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in _UNKNOWN_TO_AZURE}


def _error(status: HTTPStatus, code: str, message: str) -> Reply:
    return Reply(status, JSON, json.dumps({"error": {"code": code, "message": message}}).encode())
