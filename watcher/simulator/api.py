"""The fine-tuning API on loopback: jobs that go through the steps of a script, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Self
from urllib.parse import unquote

from watcher.simulator.course import Course
from watcher.simulator.faults import PendingFaults, spoil
from watcher.simulator.listing import Jobs, page_of_events, read_cut
from watcher.simulator.refusals import JSON, unknown_job, unknown_url, wrong_key
from watcher.simulator.script import Endpoint, Fault, JobScript, Script
from watcher.simulator.server import Clock, LoopbackServer, Received, Reply, utc_now

REQUESTS_KEPT = 50_000
"""How many of the last requests `requests` holds at least, so that a long run does not fill the memory."""

_PATH = re.compile(r"(?:/v1|/openai/v1|/openai)/fine_tuning/jobs(?:/(?P<id>[^/]+)(?P<events>/events)?)?")
"""Where the jobs are: at OpenAI, and in the two ways of Azure."""


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

    def __init__(self, script: Script | None = None, *, clock: Clock = utc_now, port: int = 0) -> None:
        self.script = script or Script()
        """What it was started with; `add_job` and `add_fault` add to that."""
        self.requests: list[Received] = []
        """The requests that arrived, the oldest first."""
        self._clock = clock
        self._jobs = Jobs()
        self._faults = PendingFaults(self.script.faults)
        self._latency_seconds = self.script.latency.total_seconds() if self.script.latency else 0.0
        self._asked = 0
        self._server = LoopbackServer(self._answer, clock=clock, port=port)

    @property
    def base_url(self) -> str:
        """The base URL, as clients of OpenAI's API expect it."""
        return f"{self._server.address}/v1"

    async def __aenter__(self) -> Self:
        """Start to listen, and the jobs. Raises ConfigurationError when the port cannot be had."""
        await self._server.__aenter__()
        for job in self.script.jobs:
            self.add_job(job)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop, whatever is still going on."""
        await self._server.__aexit__(*exc_info)

    def add_job(self, job: JobScript) -> None:
        """Start a job. One with the same id is replaced."""
        self._jobs.add(Course(job, self._clock()))

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
        found = _PATH.fullmatch(received.path)
        endpoint = _endpoint_of(found) if found and received.method == "GET" else None
        if found is None or endpoint not in self.script.endpoints:
            return _Answer(unknown_url(received))
        if refusal := wrong_key(received, self.script.api_key):
            return _Answer(refusal, endpoint)
        if endpoint is Endpoint.LIST:
            return self._page(received)
        job_id = unquote(found["id"])
        course = self._jobs.get(job_id)
        if course is None:
            return _Answer(unknown_job(job_id), endpoint)
        if endpoint is Endpoint.EVENTS:
            return _Answer(_events(course, received), endpoint, asked=course)
        return _Answer(Reply(HTTPStatus.OK, JSON, course.body(received.at)), endpoint, course, told=(course,))

    def _page(self, received: Received) -> _Answer:
        cut = read_cut(received.query)
        if isinstance(cut, Reply):
            return _Answer(cut, Endpoint.LIST)
        reply, listed = self._jobs.page(cut, received.at)
        return _Answer(reply, Endpoint.LIST, told=listed)

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
        if len(self.requests) >= 2 * REQUESTS_KEPT:
            del self.requests[:REQUESTS_KEPT]
        return self._asked


def _endpoint_of(path: re.Match[str]) -> Endpoint:
    if path["id"] is None:
        return Endpoint.LIST
    return Endpoint.EVENTS if path["events"] else Endpoint.RETRIEVE


def _events(course: Course, received: Received) -> Reply:
    cut = read_cut(received.query)
    return cut if isinstance(cut, Reply) else page_of_events(course, cut, received.at)
