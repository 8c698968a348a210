"""The fine-tuning API on loopback: jobs that go through the steps of a script, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from http import HTTPStatus
from typing import Self
from urllib.parse import unquote

from watcher.simulator.course import Course
from watcher.simulator.faults import PendingFaults, spoil
from watcher.simulator.refusals import JSON, unknown_job, unknown_url, wrong_key
from watcher.simulator.script import Fault, JobScript, Script
from watcher.simulator.server import Clock, LoopbackServer, Received, Reply, utc_now

REQUESTS_KEPT = 50_000
"""How many of the last requests `requests` holds at least, so that a long run does not fill the memory."""

_JOB = re.compile(r"(?:/v1|/openai/v1|/openai)/fine_tuning/jobs/([^/]+)")
"""Where a job is: at OpenAI, and in the two ways of Azure."""


class FineTuningApi:
    """Serves `GET {base_url}/fine_tuning/jobs/{id}` while it is entered; all jobs begin with it."""

    def __init__(self, script: Script | None = None, *, clock: Clock = utc_now, port: int = 0) -> None:
        self.script = script or Script()
        """What it was started with; `add_job` and `add_fault` add to that."""
        self.requests: list[Received] = []
        """The requests that arrived, the oldest first."""
        self._clock = clock
        self._courses: dict[str, Course] = {}
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
        self._courses[job.id] = Course(job, self._clock())

    def add_fault(self, fault: Fault, job_id: str | None = None) -> None:
        """Let something go wrong with the requests for a job, or with all. Raises KeyError for an unknown job."""
        faulty = self._faults if job_id is None else self._courses[job_id].faults
        faulty.add(fault)

    def set_status(self, job_id: str, status: str) -> None:
        """Give a job another status, which it keeps: its script is over. Raises KeyError for an unknown job."""
        self._courses[job_id].set_status(status, self._clock())

    def status(self, job_id: str) -> str:
        """Return the status that a job has now. Raises KeyError for an unknown job."""
        return self._courses[job_id].status(self._clock())

    async def _answer(self, received: Received) -> Reply:
        number = self._keep(received)
        if self._latency_seconds:
            await asyncio.sleep(self._latency_seconds)
        found = self._find(received)
        if isinstance(found, Course):
            reply = Reply(HTTPStatus.OK, JSON, found.body(received.at))
            fault = found.take_fault(received.at) or self._faults.take(number, found.status(received.at))
            if fault is None:
                found.count_answer(received.at)
        else:
            reply, fault = found, self._faults.take(number, None)
        if fault is not None:
            reply = spoil(reply, fault)
        return replace(reply, headers={"x-request-id": f"req_{number}", **reply.headers})

    def _find(self, received: Received) -> Course | Reply:
        """Return the job that is asked for, or the answer to a request that is not served."""
        job_path = _JOB.fullmatch(received.path)
        if received.method != "GET" or job_path is None:
            return unknown_url(received)
        if refusal := wrong_key(received, self.script.api_key):
            return refusal
        job_id = unquote(job_path[1])
        return self._courses.get(job_id) or unknown_job(job_id)

    def _keep(self, received: Received) -> int:
        """Keep the request, and return its number."""
        self._asked += 1
        self.requests.append(received)
        if len(self.requests) >= 2 * REQUESTS_KEPT:
            del self.requests[:REQUESTS_KEPT]
        return self._asked
