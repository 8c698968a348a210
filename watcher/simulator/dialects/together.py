"""Together AI's fine-tuning API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from watcher.domain.states import Status
from watcher.simulator import refusals
from watcher.simulator.course import Course
from watcher.simulator.dialect import Asked
from watcher.simulator.dialects.openai import asked_by
from watcher.simulator.documents import TRAINED_TOKENS, Moment, Passage, error_of, made_up
from watcher.simulator.events import TOTAL_STEPS, events_of
from watcher.simulator.listing import Jobs
from watcher.simulator.refusals import JSON
from watcher.simulator.script import JobScript
from watcher.simulator.server import Received, Reply

WORDS: Mapping[str, str] = {
    Status.VALIDATING_FILES: "pending",
    Status.SUCCEEDED: "completed",
    Status.FAILED: "error",
}
"""Its words for the statuses of a script, where they are not the same."""
_EPOCHS = 5
_SHORTENED = ("id", "status", "created_at", "updated_at", "model", "model_output_name")
_FAILED = {"error", "user_error"}


class Together:
    """Jobs lie at `/v1/fine-tunes`."""

    base_path = "/v1"
    tells_progress = False
    _path = re.compile(r"/v1/fine-tunes(?:/(?P<id>[^/]+)(?P<events>/events|/metrics)?)?")

    def find(self, received: Received) -> Asked | None:
        """See `Dialect`."""
        return asked_by(self._path, received)

    def refusal(self, received: Received, api_key: str) -> Reply | None:
        """See `Dialect`."""
        if refusals.bearer_of(received) == api_key:
            return None
        return _error(HTTPStatus.UNAUTHORIZED, "Invalid API key provided", "invalid_api_key")

    def document(self, job: JobScript, moment: Moment) -> dict[str, Any]:
        """See `Dialect`: there is no time of the end and no error, and the output has its name from the beginning."""
        status = WORDS.get(moment.status, moment.status)
        document = {
            "id": job.id,
            "training_file": made_up("file", job.id, "training"),
            "validation_file": "",
            "model": job.model,
            "model_output_name": f"simulated/{job.model}-{made_up('', job.id)[1:9]}",
            "created_at": _time(moment.created_at),
            "updated_at": _time(moment.since),
            "started_at": _time(moment.since),
            "n_epochs": _EPOCHS,
            "training_method": {"method": "sft"},
            "training_type": {"type": "Lora", "lora_r": 16, "lora_alpha": 32},
            "status": status,
            "events": list(_milestones(job, moment.passages)),
            "token_count": TRAINED_TOKENS if status == "completed" else 0,
            "total_price": 0,
            "epochs_completed": _EPOCHS if status == "completed" else 0,
            "queue_depth": 0,
        }
        if moment.estimated_finish:
            remaining = int((moment.estimated_finish - moment.since).total_seconds())
            document["progress"] = {"estimate_available": True, "seconds_remaining": remaining}
        return {**document, **job.fields, **moment.fields}

    def page(self, jobs: Jobs, received: Received) -> tuple[Reply, Sequence[Course]]:
        """See `Dialect`: all jobs, in no order that is documented."""
        listed = jobs.all()
        data = [_shortened(json.loads(course.body(received.at))) for course in listed]
        return Reply(HTTPStatus.OK, JSON, json.dumps({"data": data}).encode()), listed

    def events(self, course: Course, received: Received) -> Reply:
        """See `Dialect`: all of them, the oldest first."""
        passages = course.passages(received.at)
        if received.path.endswith("/metrics"):
            listed = list(_metrics(course.job, passages, received))
            return Reply(HTTPStatus.OK, JSON, json.dumps({"metrics": listed}).encode())
        data = sorted(
            [*_milestones(course.job, passages), *_epochs(course.job, passages, received.at)],
            key=lambda event: event["created_at"],
        )
        return Reply(HTTPStatus.OK, JSON, json.dumps({"data": data}).encode())

    def unknown_job(self, job_id: str) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, f"Fine-tuning job {job_id} not found")

    def unknown_url(self, received: Received) -> Reply:
        """See `Dialect`."""
        return _error(HTTPStatus.NOT_FOUND, f"Unknown path {received.path}")


def _milestones(job: JobScript, passages: Sequence[Passage]) -> Iterator[dict[str, Any]]:
    yield _event(passages[0].since, "job_pending", "Fine tune request created")
    for passage in passages:
        status = WORDS.get(passage.step.status, passage.step.status)
        if status == "running":
            yield _event(passage.since, "job_start", "Job started")
        elif status in _FAILED:
            message = str(error_of(job).get("message") or "Training failed")
            kind = "job_user_error" if status == "user_error" else "job_error"
            yield _event(passage.since, kind, message, level="error")
        elif status == "completed":
            yield _event(passage.since, "job_complete", "Job finished")


def _epochs(job: JobScript, passages: Sequence[Passage], now: datetime) -> Iterator[dict[str, Any]]:
    """Return an event for each epoch done: only the last training step of each epoch has one."""
    for event in events_of(job, passages, now):
        step = event.data.get("step", 0)
        if step and step % (TOTAL_STEPS // _EPOCHS) == 0:
            told = _event(event.at, "epoch_complete", f"Epoch completed, at step {step}")
            yield told | {"step": step, "total_steps": TOTAL_STEPS}


def _metrics(job: JobScript, passages: Sequence[Passage], received: Received) -> Iterator[dict[str, Any]]:
    """Tell of the steps done, from the one asked for on."""
    (first,) = parse_qs(received.query).get("global_step_from", ["0"])
    for event in events_of(job, passages, received.at):
        if event.data and event.data["step"] >= int(first):
            yield {
                "timestamp": int(event.at.timestamp()) * 10**9,
                "train/global_step": event.data["step"],
                "train/loss": event.data["train_loss"],
                "eval/loss": event.data["valid_loss"],
            }


def _event(at: datetime, kind: str, message: str, level: str = "info") -> dict[str, Any]:
    absent = {"param_count": 0, "token_count": 0, "total_steps": 0, "step": 0, "wandb_url": "", "checkpoint_path": ""}
    told = {"object": "fine-tune-event", "created_at": _time(at), "level": level, "message": message, "type": kind}
    return told | absent


def _shortened(document: dict[str, Any]) -> dict[str, Any]:
    return {name: document[name] for name in _SHORTENED if name in document}


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _error(status: HTTPStatus, message: str, code: str | None = None) -> Reply:
    return Reply(status, JSON, refusals.error_body(message, code=code))
