"""Job objects as the fine-tuning API gives them: every field of its reference, and those it gives besides."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from watcher.domain.states import Status
from watcher.simulator.graders import GRADERS
from watcher.simulator.script import JobScript, Method, Step

ORGANIZATION = "org-simulated"
TRAINED_TOKENS = 1_234_567


@dataclass(frozen=True, slots=True)
class Passage:
    """A step of the script that a job came to."""

    step: Step
    since: datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a job stands."""

    status: str
    created_at: datetime
    since: datetime
    """When it got this status."""
    validated: bool = False
    """Whether its files have been validated: only then is it known what "auto" stands for."""
    estimated_finish: datetime | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields that have another value than usual."""
    passages: Sequence[Passage] = ()
    """The steps it came to so far."""
    steps: int = 0
    """The training steps it has done so far, for services whose job objects say that."""
    updated_at: datetime | None = None
    """When it last did something, for the same services."""

    @property
    def started_at(self) -> datetime | None:
        """When it began to run; None for a job that has not run."""
        return next((passage.since for passage in self.passages if passage.step.status == Status.RUNNING), None)


def job_document(job: JobScript, moment: Moment) -> dict[str, Any]:
    """Return the job object, as `GET /fine_tuning/jobs/{id}` answers."""
    succeeded = moment.status == Status.SUCCEEDED
    # A real failed job says nothing of when it ended.
    finished = moment.status in {Status.SUCCEEDED, Status.CANCELLED}
    document = {
        "object": "fine_tuning.job",
        "id": job.id,
        "model": job.model,
        "created_at": seconds(moment.created_at),
        "finished_at": seconds(moment.since) if finished else None,
        "fine_tuned_model": model_name(job) if succeeded else None,
        "organization_id": ORGANIZATION,
        "result_files": [made_up("file", job.id, "results")] if succeeded else [],
        "status": moment.status,
        "validation_file": made_up("file", job.id, "validation"),
        "training_file": training_file(job),
        "trained_tokens": TRAINED_TOKENS if succeeded else None,
        "error": error_of(job) if moment.status == Status.FAILED else dict(_NO_ERROR),
        "user_provided_suffix": job.suffix,
        "seed": int(_digest(job.id, "seed")[:8], 16) & 0x7FFF_FFFF,
        "estimated_finish": seconds(moment.estimated_finish) if moment.estimated_finish else None,
        "integrations": [_wandb(job)],
        "metadata": dict(job.metadata),
        "usage_metrics": None,
        "shared_with_openai": False,
        "method": _method(job, validated=moment.validated),
        **_hyperparameters_field(job, validated=moment.validated),
    }
    return {**document, **job.fields, **moment.fields}


def error_of(job: JobScript) -> dict[str, Any]:
    """Return why the job fails, when it fails."""
    return dict(job.error or _USUAL_ERROR)


def model_name(job: JobScript) -> str:
    """Return the name of the model that the job makes."""
    return f"ft:{job.model}:simulated:{job.suffix or ''}:{_digest(job.id, 'model')[:8]}"


def training_file(job: JobScript) -> str:
    """Return the id of the file that the job learns from."""
    return made_up("file", job.id, "training")


def made_up(prefix: str, *parts: str) -> str:
    """Return an id that is the same whenever the same job is simulated."""
    return f"{prefix}-{_digest(*parts)[:22]}"


def seconds(at: datetime) -> int:
    """Return the moment as the API writes it: in whole seconds."""
    return int(at.timestamp())


def _wandb(job: JobScript) -> dict[str, Any]:
    run_id = _digest(job.id, "run")[:8]
    settings = {"project": "fine-tuning", "entity": None, "name": job.suffix, "tags": ["simulated"], "run_id": run_id}
    return {"type": "wandb", "wandb": settings}


def _hyperparameters_field(job: JobScript, *, validated: bool) -> dict[str, Any]:
    """Return the old place of the hyperparameters: null for DPO jobs, absent for reinforcement jobs."""
    if job.method is Method.SUPERVISED:
        return {"hyperparameters": _hyperparameters(Method.SUPERVISED, validated=validated)}
    return {"hyperparameters": None} if job.method is Method.DPO else {}


def _method(job: JobScript, *, validated: bool) -> dict[str, Any]:
    settings: dict[str, Any] = {"hyperparameters": _hyperparameters(job.method, validated=validated)}
    if job.method is Method.REINFORCEMENT:
        settings["grader"] = GRADERS[job.grader]
    return {"type": job.method.value, job.method.value: settings}


def _hyperparameters(method: Method, *, validated: bool) -> dict[str, Any]:
    chosen = _HYPERPARAMETERS[method]
    if validated:
        return dict(chosen)
    return {name: value if isinstance(value, str) else "auto" for name, value in chosen.items()}


def _digest(*parts: str) -> str:
    """Return hexadecimal digits that are the same whenever the same job is simulated."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


_NO_ERROR = {"code": None, "message": None, "param": None}
"""What the API says of jobs that did not fail."""

_USUAL_ERROR = {
    "code": "invalid_training_file",
    "message": "The job failed due to an invalid training file. Expected file to have JSONL format, where every line "
    "is a valid JSON dictionary.",
    "param": "training_file",
}

_HYPERPARAMETERS: Mapping[Method, Mapping[str, Any]] = {
    Method.SUPERVISED: {"batch_size": 1, "learning_rate_multiplier": 1.8, "n_epochs": 3},
    Method.DPO: {"batch_size": 8, "beta": 0.1, "learning_rate_multiplier": 1.0, "n_epochs": 2},
    Method.REINFORCEMENT: {
        "batch_size": 16,
        "compute_multiplier": 1.0,
        "eval_interval": 5,
        "eval_samples": 3,
        "learning_rate_multiplier": 1.0,
        "n_epochs": 1,
        "reasoning_effort": "medium",
    },
}
"""What "auto" turns out to be."""
