"""The life of a job as the events of the fine-tuning API."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from watcher.domain.states import Status
from watcher.simulator.documents import Passage, error_of, made_up, model_name, seconds, training_file
from watcher.simulator.script import JobScript, Step, Training

TOTAL_STEPS = 100
"""Training steps of a job; each of them has metrics."""
TURNING_STEP = 40
"""The step after which training goes wrong, where the script wants that."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job."""

    at: datetime
    message: str
    level: str = "info"
    data: Mapping[str, Any] = field(default_factory=dict)
    """The metrics of a training step."""


def events_of(job: JobScript, passages: Sequence[Passage], now: datetime) -> list[Event]:
    """Return what has happened so far, the oldest first: what is there now never changes."""
    ends = [later.since for _, later in pairwise(passages)] + [now]
    training = _Training.of(job)
    told: set[str] = set()
    events = [Event(passages[0].since, f"Created fine-tuning job: {job.id}")]
    for passage, end in zip(passages, ends, strict=True):
        events += _milestones(job, passage, told)
        events += training.steps(passage, min(end, now))
    return events


def last_step(job: JobScript, passages: Sequence[Passage], now: datetime) -> tuple[int, datetime]:
    """Return how many training steps the job has done so far, of TOTAL_STEPS, and when it last moved."""
    steps = [(event.data["step"], event.at) for event in events_of(job, passages, now) if event.data]
    return max(steps, default=(0, passages[-1].since))


def event_id(job: JobScript, number: int) -> str:
    """Return the id of the event with this number of the job, counted from 0."""
    return made_up("ftevent", job.id, str(number))


def event_document(job: JobScript, number: int, event: Event) -> dict[str, Any]:
    """Return the event object, as `GET /fine_tuning/jobs/{id}/events` lists it."""
    return {
        "object": "fine_tuning.job.event",
        "id": event_id(job, number),
        "created_at": seconds(event.at),
        "level": event.level,
        "message": event.message,
        "type": "metrics" if event.data else "message",
        "data": dict(event.data),
    }


def checkpoints_of(job: JobScript, events: Sequence[Event]) -> list[dict[str, Any]]:
    """Return the checkpoints, as `GET /fine_tuning/jobs/{id}/checkpoints` lists them: of the last step only."""
    return [
        {
            "object": "fine_tuning.job.checkpoint",
            "id": made_up("ftckpt", job.id, str(TOTAL_STEPS)),
            "created_at": seconds(event.at),
            "fine_tuned_model_checkpoint": f"{model_name(job)}:ckpt-step-{TOTAL_STEPS}",
            "fine_tuning_job_id": job.id,
            "step_number": TOTAL_STEPS,
            "metrics": dict(event.data),
        }
        for event in events
        if event.data.get("step") == TOTAL_STEPS
    ]


_ON_THE_WAY = (Status.VALIDATING_FILES, Status.QUEUED, Status.RUNNING)


def _milestones(job: JobScript, passage: Passage, told: set[str]) -> Iterator[Event]:
    """Tell that the job came to a status, and first what it must have gone through when that was skipped."""
    status, at = passage.step.status, passage.since
    if status == Status.FAILED:
        yield Event(at, str(error_of(job).get("message") or "The job failed"), "error")
    elif status in told or status not in {*_ON_THE_WAY, Status.SUCCEEDED}:
        yield Event(at, f"The job is now {status}")
    else:
        for milestone in _until(status):
            if milestone not in told:
                told.add(milestone)
                yield Event(at, _message_of(milestone, job))
        if status == Status.SUCCEEDED:
            yield Event(at, f"New fine-tuned model created: {model_name(job)}")
            yield Event(at, "The job has successfully completed")


def _until(status: str) -> Sequence[Status]:
    return _ON_THE_WAY if status == Status.SUCCEEDED else _ON_THE_WAY[: _ON_THE_WAY.index(Status(status)) + 1]


def _message_of(milestone: Status, job: JobScript) -> str:
    if milestone is Status.VALIDATING_FILES:
        return f"Validating training file: {training_file(job)}"
    if milestone is Status.QUEUED:
        return "Files validated, moving job to queued state"
    return "Fine-tuning job started"


class _Training:
    """The training steps of a job, spread evenly over the time for which its script lets it run."""

    def __init__(self, whole: timedelta, kind: Training) -> None:
        self._whole = whole
        self._kind = kind
        self._done = timedelta()

    @classmethod
    def of(cls, job: JobScript) -> _Training:
        return cls(sum(map(_training_time, job.steps), timedelta()), job.training)

    def steps(self, passage: Passage, end: datetime) -> Iterator[Event]:
        """Tell the metrics of the steps done while the job ran."""
        if not (longest := _training_time(passage.step)):
            return
        before = self._done
        self._done = before + max(min(end - passage.since, longest), timedelta())
        for number in range(TOTAL_STEPS * before // self._whole + 1, TOTAL_STEPS * self._done // self._whole + 1):
            if self._kind is not Training.STALLS or number <= TURNING_STEP:
                yield _metrics(number, passage.since + self._whole * number / TOTAL_STEPS - before, self._kind)


def _training_time(step: Step) -> timedelta:
    return step.lasts or timedelta() if step.status == Status.RUNNING else timedelta()


def _metrics(number: int, at: datetime, kind: Training) -> Event:
    share = number / TOTAL_STEPS
    loss = round(_loss(share, kind), 4)
    data = {
        "step": number,
        "total_steps": TOTAL_STEPS,
        "train_loss": loss,
        "valid_loss": round(loss + 0.1, 4),
        "train_mean_token_accuracy": round(0.5 + 0.45 * share, 4),
    }
    return Event(at, f"Step {number}/{TOTAL_STEPS}: training loss={loss:.2f}", data=data)


def _loss(share: float, kind: Training) -> float:
    turn = TURNING_STEP / TOTAL_STEPS
    if kind is Training.DIVERGES and share > turn:
        return 2 * math.exp(-3 * turn) + 8 * math.pow(share - turn, 1.5)
    return 2 * math.exp(-3 * share)
