"""What the watcher is expected to record: a simulated API that keeps the history of its jobs and of its answers."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import pairwise
from typing import Any

from tests.simulated import word_of
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import JobScript, Script, Step
from watcher.simulator.server import Clock, Manner, Received, Reply, utc_now

SIZE_LIMIT_BYTES = 4 * 1024 * 1024
"""The watcher rejects larger answers without reading them."""


@dataclass(frozen=True, slots=True)
class StatusPeriod:
    """A status that a job had for some time."""

    status: str
    since: datetime
    until: datetime | None = None
    """None: the job still has it."""
    ends_when_reported: bool = False
    """Whether it ends only after the API has reported it as often as the script demands."""


class RecordingApi(FineTuningApi):
    """A fine-tuning API that records which statuses its jobs had, and which of them it reported."""

    def __init__(self, script: Script | None = None, *, clock: Clock = utc_now, port: int = 0) -> None:
        self.faulty_answers: Counter[str] = Counter()
        """The number of retrieves that a fault spoiled, by job."""
        self.faulty_pages = 0
        """The number of list pages that reported no job."""
        self._scripts: dict[str, JobScript] = {}
        self._started: dict[str, datetime] = {}
        self._forced: defaultdict[str, list[StatusPeriod]] = defaultdict(list)
        self._reported: defaultdict[str, list[tuple[datetime, str]]] = defaultdict(list)
        super().__init__(script, clock=clock, port=port)

    def add_job(self, job: JobScript) -> None:
        """Start a job."""
        super().add_job(job)
        self._scripts[job.id], self._started[job.id] = job, self._clock()

    def set_status(self, job_id: str, status: str) -> None:
        """Give a job a status that it keeps: its script ends."""
        super().set_status(job_id, status)
        self._forced[job_id].append(StatusPeriod(status, self._clock()))

    @property
    def ids(self) -> list[str]:
        """The ids of the jobs."""
        return list(self._scripts)

    @property
    def end(self) -> datetime:
        """When the last step of the last job begins, among the jobs whose steps have a fixed length."""
        ends = [self._started[job.id] + sum(_lengths(job), timedelta()) for job in self._scripts.values()]
        return max(ends, default=self._clock())

    def is_finished(self) -> bool:
        """Return whether every job has reached its last status."""
        return all(self.status(job.id) == self._last(job) for job in self._scripts.values())

    def native_status(self, job_id: str) -> str:
        """Return the status that the job has now, in the word of the service."""
        return word_of(self.script.dialect, self.status(job_id))

    def periods(self, job_id: str) -> list[StatusPeriod]:
        """Return the statuses that the job has had so far, in order, each in the word of the service."""
        periods = [each for each in self._scripted(job_id) if each.since <= self._clock()]
        for forced in self._forced[job_id]:
            periods = [_cut(each, forced.since) for each in periods if each.since < forced.since]
            periods.append(forced)
        return list(_merged([replace(each, status=word_of(self.script.dialect, each.status)) for each in periods]))

    def reported(self, job_id: str) -> list[str]:
        """Return the statuses that complete answers have reported for the job, in order, without repetitions."""
        statuses = [status for _, status in self._reported[job_id]]
        return statuses[:1] + [after for before, after in pairwise(statuses) if after != before]

    def _last(self, job: JobScript) -> str:
        forced = self._forced[job.id]
        return forced[-1].status if forced else job.steps[-1].status

    def _scripted(self, job_id: str) -> Iterator[StatusPeriod]:
        since = self._started[job_id]
        for step in self._scripts[job_id].steps:
            until = self._end_of(step, job_id, since)
            yield StatusPeriod(step.status, since, until, ends_when_reported=step.polls is not None)
            if until is None:
                return
            since = until

    def _end_of(self, step: Step, job_id: str, since: datetime) -> datetime | None:
        if step.lasts is not None:
            return since + step.lasts
        if step.polls is None:
            return None
        reported = [at for at, status in self._reported[job_id] if at >= since and status == step.status]
        return reported[step.polls - 1] if len(reported) >= step.polls else None

    async def _answer(self, received: Received) -> Reply:
        reply = await super()._answer(received)
        reported = dict(_statuses_in(reply))
        for job_id, status in reported.items():
            self._reported[job_id].append((received.at, status))
        requested = received.path.rsplit("/", 1)[-1]
        self.faulty_pages += requested == "jobs" and not reported
        if requested in self._scripts and requested not in reported:
            self.faulty_answers[requested] += 1
        return reply


def expected_periods(*apis: RecordingApi) -> Mapping[str, Sequence[StatusPeriod]]:
    """Return the statuses that each job of the APIs has had so far."""
    return {job: api.periods(job) for api in apis for job in api.ids}


def _lengths(job: JobScript) -> list[timedelta]:
    return [step.lasts for step in job.steps if step.lasts is not None]


def _cut(period: StatusPeriod, at: datetime) -> StatusPeriod:
    return replace(period, until=at if period.until is None else min(period.until, at))


def _merged(periods: Sequence[StatusPeriod]) -> Iterator[StatusPeriod]:
    """Join neighbours with the same status: a client cannot tell them apart."""
    last: StatusPeriod | None = None
    for period in periods:
        if last and last.status == period.status:
            ends_when_reported = last.ends_when_reported or period.ends_when_reported
            last = StatusPeriod(last.status, last.since, period.until, ends_when_reported)
            continue
        if last:
            yield last
        last = period
    if last:
        yield last


def _statuses_in(reply: Reply) -> Iterator[tuple[str, str]]:
    """Yield each job of an answer with its status, if the answer is complete."""
    if reply.status_code != HTTPStatus.OK or reply.manner is not Manner.WHOLE or len(reply.body) > SIZE_LIMIT_BYTES:
        return
    try:
        document: Any = json.loads(reply.body)
    except ValueError:
        return
    # Of the other services nothing is counted that depends on what they reported.
    for each in document.get("data", [document]) if isinstance(document, Mapping) else ():
        if "id" in each and "status" in each:
            yield each["id"], each["status"]
