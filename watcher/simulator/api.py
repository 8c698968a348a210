"""The fine-tuning API on loopback: jobs that go through the steps of a script, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Self

from watcher.simulator.course import Course
from watcher.simulator.dialect import dialect_of
from watcher.simulator.events import Event
from watcher.simulator.faults import PendingFaults, spoil
from watcher.simulator.listing import Jobs
from watcher.simulator.refusals import JSON
from watcher.simulator.script import Endpoint, Fault, JobScript, Script
from watcher.simulator.server import Clock, LoopbackServer, Received, Reply, utc_now

REQUESTS_KEPT = 50_000
"""How many of the last requests `requests` holds at least, so that a long run does not fill the memory."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is answered to a request, unless something goes wrong."""

    reply: Reply
    endpoint: Endpoint | None = None
    """What was asked for; None for something that is not served."""
    asked: Course | None = None
    """The job that was asked for."""
    told: Sequence[Course] = ()
    """The jobs whose status it says."""


class FineTuningApi:
    """Serves `GET {base_url}/fine_tuning/jobs`, `…/{id}` and `…/{id}/events` while it is entered.

    All jobs of the script begin with it, the last of them the newest in the list.
    """

    def __init__(
        self, script: Script | None = None, *, clock: Clock = utc_now, port: int = 0, requests_kept: int = REQUESTS_KEPT
    ) -> None:
        self.script = script or Script()
        """What it was started with; `add_job` and `add_fault` add to that."""
        self.requests: list[Received] = []
        """The requests that arrived, the oldest first."""
        self._dialect = dialect_of(self.script.dialect)
        self._clock = clock
        self._jobs = Jobs()
        self._faults = PendingFaults(self.script.faults)
        self._latency_seconds = self.script.latency.total_seconds() if self.script.latency else 0.0
        self._asked = 0
        self._requests_kept = requests_kept
        self._server = LoopbackServer(self._answer, clock=clock, port=port)

    @property
    def base_url(self) -> str:
        """The base URL, as clients of the service expect it."""
        return f"{self._server.address}{self._dialect.base_path}"

    async def __aenter__(self) -> Self:
        """Start to listen, and the jobs. Raises ConfigurationError when the port cannot be had."""
        await self._server.__aenter__()
        for job in self.script.jobs:
            self.add_job(job)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop, and drop requests that are still open."""
        await self._server.__aexit__(*exc_info)

    def add_job(self, job: JobScript) -> None:
        """Start a job. One with the same id is replaced."""
        self._jobs.add(Course(job, self._clock(), self._dialect.document, tells_progress=self._dialect.tells_progress))

    def add_fault(self, fault: Fault, job_id: str | None = None) -> None:
        """Let something go wrong with requests: those for a job, or all. Raises KeyError for an unknown job."""
        faulty = self._faults if job_id is None else self._jobs[job_id].faults
        faulty.add(fault)

    def set_status(self, job_id: str, status: str) -> None:
        """Give a job another status, which it keeps: its script is over. Raises KeyError for an unknown job."""
        self._jobs[job_id].set_status(status, self._clock())

    def status(self, job_id: str) -> str:
        """Return the status that a job has now. Raises KeyError for an unknown job."""
        return self._jobs[job_id].status(self._clock())

    def events(self, job_id: str) -> Sequence[Event]:
        """Return what has happened to a job so far, the oldest first. Raises KeyError for an unknown job."""
        return self._jobs[job_id].events(self._clock())

    async def _answer(self, received: Received) -> Reply:
        number = self._keep(received)
        if self._latency_seconds:
            await asyncio.sleep(self._latency_seconds)
        answer = self._find(received)
        fault = self._fault(answer, received.at)
        if fault is None:
            for course in answer.told:
                course.count_answer(received.at)
        reply = answer.reply if fault is None else spoil(answer.reply, fault)
        return replace(reply, headers={"x-request-id": f"req_{number}", **reply.headers})

    def _find(self, received: Received) -> _Answer:
        asked = self._dialect.find(received)
        if asked is None or asked.endpoint not in self.script.endpoints:
            return _Answer(self._dialect.unknown_url(received))
        endpoint, key = asked.endpoint, self.script.api_key
        if key is not None and (refusal := self._dialect.refusal(received, key)):
            return _Answer(refusal, endpoint)
        if endpoint is Endpoint.LIST:
            reply, listed = self._dialect.page(self._jobs, received)
            return _Answer(reply, endpoint, told=listed)
        course = self._jobs.get(asked.job_id)
        if course is None:
            return _Answer(self._dialect.unknown_job(asked.job_id), endpoint)
        if endpoint is Endpoint.EVENTS:
            return _Answer(self._dialect.events(course, received), endpoint, asked=course)
        return _Answer(Reply(HTTPStatus.OK, JSON, course.body(received.at)), endpoint, course, told=(course,))

    def _fault(self, answer: _Answer, at: datetime) -> Fault | None:
        """Count the request, and return what goes wrong with it: of its job's faults first."""

        def says(status: str) -> bool:
            return any(course.status(at) == status for course in answer.told)

        met = [self._faults] if answer.asked is None else [answer.asked.faults, self._faults]
        for faults in met:
            faults.count(answer.endpoint)
        return next((fault for faults in met if (fault := faults.take(answer.endpoint, says))), None)

    def _keep(self, received: Received) -> int:
        """Keep the request, and return its number."""
        self._asked += 1
        self.requests.append(received)
        if len(self.requests) >= 2 * self._requests_kept:
            del self.requests[: self._requests_kept]
        return self._asked
