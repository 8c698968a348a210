"""Batch objects, as OpenAI and Azure give them: a job of a script whose id begins with `batch_` is one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from watcher.simulator.documents import Moment, made_up, seconds
from watcher.simulator.script import JobScript

BATCHES_PATH = r"/batches(?:/(?P<id>[^/]+)(?P<events>(?!))?)?"
"""As the path of jobs, but there are no events."""
_WINDOW = timedelta(hours=24)
_TOTAL = 100
_COUNTS: Mapping[str, tuple[int, int]] = {"in_progress": (40, 0), "finalizing": (97, 3), "completed": (97, 3)}
"""How many requests have succeeded and failed, unless the script gives `request_counts`."""
_WITH_OUTPUT = {"completed", "expired", "cancelled"}
_STATUSES = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")


def is_batch(job_id: str) -> bool:
    """Return whether this is the id of a batch."""
    return job_id.startswith("batch_")


def batch_document(job: JobScript, moment: Moment) -> dict[str, Any]:
    """Return the batch object, as `GET /batches/{id}` answers."""
    came_to = {passage.step.status: seconds(passage.since) for passage in moment.passages}
    completed, failed = _COUNTS.get(moment.status, (0, 0))
    document: dict[str, Any] = {
        "id": job.id,
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "model": job.model,
        "errors": None,
        "input_file_id": made_up("file", job.id, "input"),
        "completion_window": "24h",
        "status": moment.status,
        "output_file_id": made_up("file", job.id, "output") if moment.status in _WITH_OUTPUT else None,
        "error_file_id": made_up("file", job.id, "errors") if failed and moment.status in _WITH_OUTPUT else None,
        "created_at": seconds(moment.created_at),
        "expires_at": seconds(moment.created_at + _WINDOW),
        **{f"{status}_at": came_to.get(status) for status in _STATUSES},
        "request_counts": {"total": _TOTAL, "completed": completed, "failed": failed},
        "metadata": dict(job.metadata) or None,
    }
    if moment.status == "failed":
        document["errors"] = {"object": "list", "data": [dict(job.error or _USUAL_ERROR)]}
    return {**document, **job.fields, **moment.fields}


_USUAL_ERROR = {
    "code": "invalid_json_line",
    "message": "This line is not parseable as valid JSON.",
    "param": None,
    "line": 3,
}
