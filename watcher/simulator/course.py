"""How one job fares over time: which status it has, what its object says, and what happened to it."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from watcher.domain.states import Status
from watcher.simulator.documents import Moment, Passage, job_document
from watcher.simulator.events import Event, events_of, last_step
from watcher.simulator.faults import PendingFaults
from watcher.simulator.script import JobScript, Step

Document = Callable[[JobScript, Moment], dict[str, Any]]
"""Writes the object of a job as it stands at a moment."""

_SAYS_NOTHING_OF_THE_FILES = {Status.VALIDATING_FILES, Status.FAILED, Status.CANCELLED}


class Course:
    """A job on its way through its steps; the first one begins when this is made."""

    def __init__(
        self, job: JobScript, now: datetime, document: Document = job_document, *, tells_progress: bool = False
    ) -> None:
        """`document` writes the job object, which may tell how many training steps are done."""
        self.job = job
        """What its script says."""
        self.faults = PendingFaults(job.faults)
        """What is still to go wrong with requests for the job."""
        self._document = document
        self._tells_progress = tells_progress
        self._steps = 0
        self._updated_at = now
        self._created_at = now
        self._validated = False
        self._body: bytes | None = None
        self._passages: list[Passage] = []
        self._coming: deque[Step] = deque(job.steps)
        self._enter(self._coming.popleft(), now)

    def status(self, now: datetime) -> str:
        """Return the status it has now."""
        self._catch_up(now)
        return self._step.status

    def body(self, now: datetime) -> bytes:
        """Return the job object as it stands now: JSON, the same bytes until it says something else."""
        self._catch_up(now)
        steps, at = last_step(self.job, self._passages, now) if self._tells_progress else (0, self._since)
        if self._body is None or steps != self._steps:
            self._steps, self._updated_at = steps, max(at, self._since)
            self._body = json.dumps(self._document(self.job, self._moment())).encode()
        return self._body

    def events(self, now: datetime) -> Sequence[Event]:
        """Return what has happened to it, the oldest first."""
        return events_of(self.job, self.passages(now), now)

    def passages(self, now: datetime) -> Sequence[Passage]:
        """Return the steps that it came to so far."""
        self._catch_up(now)
        return tuple(self._passages)

    def count_answer(self, now: datetime) -> None:
        """Count an answer that said the status of now; a step of so many polls may be over with it."""
        self._answers += 1
        if self._coming and self._step.polls is not None and self._answers >= self._step.polls:
            self._enter(self._coming.popleft(), now)

    def set_status(self, status: str, now: datetime) -> None:
        """Give it another status, which it keeps: its script is over."""
        self._catch_up(now)
        self._coming.clear()
        self._enter(Step(status), now)

    def _catch_up(self, now: datetime) -> None:
        while self._coming and self._step.lasts is not None and now >= self._since + self._step.lasts:
            # The next step begins when this one was over, not at the next request.
            self._enter(self._coming.popleft(), self._since + self._step.lasts)

    def _enter(self, step: Step, at: datetime) -> None:
        self._step = step
        self._since = at
        self._passages.append(Passage(step, at))
        self._answers = 0
        self._body = None
        self._validated = self._validated or step.status not in _SAYS_NOTHING_OF_THE_FILES

    def _moment(self) -> Moment:
        running_for = self._step.lasts if self._step.status == Status.RUNNING else None
        return Moment(
            status=self._step.status,
            created_at=self._created_at,
            since=self._since,
            validated=self._validated,
            estimated_finish=None if running_for is None else self._since + running_for,
            fields=self._step.fields,
            passages=tuple(self._passages),
            steps=self._steps,
            updated_at=self._updated_at,
        )
