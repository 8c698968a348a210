"""The simulated API as a witness: what its jobs passed through, and what it told of that."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import pairwise
from random import Random
from typing import Any

from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import JobScript, Script, Step
from watcher.simulator.server import Clock, Manner, Received, Reply, utc_now

READABLE_BYTES = 4 * 1024 * 1024
"""What a larger answer says, no careful client reads."""
PATHS: Sequence[tuple[str, ...]] = (
    ("validating_files", "queued", "running", "succeeded"),
    ("validating_files", "queued", "running", "failed"),
    ("validating_files", "failed"),
    ("queued", "running", "cancelled"),
    ("validating_files", "queued", "running", "paused", "queued", "running", "succeeded"),
    ("queued", "loading_dataset", "running", "saving", "succeeded"),
)
"""The ways that a job takes: also backwards, and through statuses that nobody documents."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A status that a job had for some time."""

    status: str
    since: datetime
    until: datetime | None = None
    """None: it has it still."""
    is_answered: bool = False
    """Whether it could only end once the API had said it as often as the script demands."""


class Truth(FineTuningApi):
    """A fine-tuning API that remembers what became of its jobs, and what it said."""

    def __init__(self, script: Script | None = None, *, clock: Clock = utc_now, port: int = 0) -> None:
        self.spoilt: Counter[str] = Counter()
        """How many answers to questions for a job were spoilt by a fault."""
        self.spoilt_pages = 0
        """How many pages of the list told of no job."""
        self._scripts: dict[str, JobScript] = {}
        self._begun: dict[str, datetime] = {}
        self._forced: defaultdict[str, list[Passage]] = defaultdict(list)
        self._said: defaultdict[str, list[tuple[datetime, str]]] = defaultdict(list)
        super().__init__(script, clock=clock, port=port)

    def add_job(self, job: JobScript) -> None:
        """Start a job."""
        super().add_job(job)
        self._scripts[job.id], self._begun[job.id] = job, self._clock()

    def set_status(self, job_id: str, status: str) -> None:
        """Give a job another status, which it keeps: its script is over."""
        super().set_status(job_id, status)
        self._forced[job_id].append(Passage(status, self._clock()))

    @property
    def ids(self) -> list[str]:
        """The jobs."""
        return list(self._scripts)

    @property
    def end(self) -> datetime:
        """When the last step of the last job begins, of those jobs whose steps last for a known time."""
        ends = [self._begun[job.id] + sum(_lengths(job), timedelta()) for job in self._scripts.values()]
        return max(ends, default=self._clock())

    def is_over(self) -> bool:
        """Tell whether every job has reached its last status."""
        return all(self.status(job.id) == self._last(job) for job in self._scripts.values())

    def passages(self, job_id: str) -> list[Passage]:
        """Return what the job has passed through so far, in order."""
        passed = [each for each in self._scripted(job_id) if each.since <= self._clock()]
        for forced in self._forced[job_id]:
            passed = [_cut(each, forced.since) for each in passed if each.since < forced.since]
            passed.append(forced)
        return list(_merged(passed))

    def said(self, job_id: str) -> list[str]:
        """Return the statuses that whole answers have told of the job, each once, in order."""
        told = [status for _, status in self._said[job_id]]
        return told[:1] + [after for before, after in pairwise(told) if after != before]

    def _last(self, job: JobScript) -> str:
        forced = self._forced[job.id]
        return forced[-1].status if forced else job.steps[-1].status

    def _scripted(self, job_id: str) -> Iterator[Passage]:
        since = self._begun[job_id]
        for step in self._scripts[job_id].steps:
            until = self._end_of(step, job_id, since)
            yield Passage(step.status, since, until, is_answered=step.polls is not None)
            if until is None:
                return
            since = until

    def _end_of(self, step: Step, job_id: str, since: datetime) -> datetime | None:
        if step.lasts is not None:
            return since + step.lasts
        if step.polls is None:
            return None
        told = [at for at, status in self._said[job_id] if at >= since and status == step.status]
        return told[step.polls - 1] if len(told) >= step.polls else None

    async def _answer(self, received: Received) -> Reply:
        reply = await super()._answer(received)
        told = dict(_told(reply))
        for job_id, status in told.items():
            self._said[job_id].append((received.at, status))
        asked = received.path.rsplit("/", 1)[-1]
        self.spoilt_pages += asked == "jobs" and not told
        if asked in self._scripts and asked not in told:
            self.spoilt[asked] += 1
        return reply


def lives(random: Random, count: int, span: timedelta) -> tuple[JobScript, ...]:
    """Return jobs on ways drawn by chance, whose lives end within the span; some statuses last very short."""
    return tuple(
        JobScript(f"ftjob-{number:05}", timed(random, random.choice(PATHS), random.uniform(0.3, 1) * span))
        for number in range(count)
    )


def timed(random: Random, statuses: Sequence[str], span: timedelta) -> tuple[Step, ...]:
    """Return steps through the statuses, the last of which begins after the span."""
    weights = [random.expovariate(1) for _ in statuses[:-1]]
    steps = [
        Step(status, lasts=span * (weight / sum(weights)))
        for status, weight in zip(statuses[:-1], weights, strict=True)
    ]
    return (*steps, Step(statuses[-1]))


def _lengths(job: JobScript) -> list[timedelta]:
    return [step.lasts for step in job.steps if step.lasts is not None]


def _cut(passage: Passage, at: datetime) -> Passage:
    until = at if passage.until is None else min(passage.until, at)
    return Passage(passage.status, passage.since, until, passage.is_answered)


def _merged(passages: Sequence[Passage]) -> Iterator[Passage]:
    """Join neighbours with the same status: to whoever asks they are one."""
    last: Passage | None = None
    for passage in passages:
        if last and last.status == passage.status:
            last = Passage(last.status, last.since, passage.until, last.is_answered or passage.is_answered)
            continue
        if last:
            yield last
        last = passage
    if last:
        yield last


def _told(reply: Reply) -> Iterator[tuple[str, str]]:
    """Yield each job and its status that an answer tells of, if it is a whole one."""
    if reply.status_code != HTTPStatus.OK or reply.manner is not Manner.WHOLE or len(reply.body) > READABLE_BYTES:
        return
    try:
        document: Mapping[str, Any] = json.loads(reply.body)
    except ValueError:
        return
    for each in document.get("data", [document]):
        if "id" in each and "status" in each:
            yield each["id"], each["status"]
