"""What a dialect of the simulator is: where jobs lie, who may ask, and what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from watcher.simulator.course import Course
from watcher.simulator.documents import Moment
from watcher.simulator.listing import Jobs
from watcher.simulator.script import DialectName, Endpoint, JobScript
from watcher.simulator.server import Received, Reply


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for."""

    endpoint: Endpoint
    job_id: str = ""
    """Empty for the list."""


class Dialect(Protocol):
    """How one service answers."""

    @property
    def base_path(self) -> str:
        """What stands behind the address in the URL that clients are given."""
        ...

    @property
    def tells_progress(self) -> bool:
        """Whether the object of a job says how far it has come."""
        ...

    def find(self, received: Received) -> Asked | None:
        """Say what a path stands for; None for one that is not served."""
        ...

    def refusal(self, received: Received, api_key: str) -> Reply | None:
        """Return the answer to a request without the right key; None for one that is let in."""
        ...

    def document(self, job: JobScript, moment: Moment) -> dict[str, Any]:
        """Return the object of a job."""
        ...

    def page(self, jobs: Jobs, received: Received) -> tuple[Reply, Sequence[Course]]:
        """Return a page of the list, and the jobs whose status it says."""
        ...

    def events(self, course: Course, received: Received) -> Reply:
        """Return events of a job."""
        ...

    def unknown_job(self, job_id: str) -> Reply:
        """Return the answer to a request that names a job that does not exist."""
        ...

    def unknown_url(self, received: Received) -> Reply:
        """Return the answer to a request for anything that is not served."""
        ...


def dialect_of(name: DialectName) -> Dialect:
    """Return a dialect, importing no other one."""
    match name:
        case DialectName.OPENAI:
            from watcher.simulator.dialects.openai import OpenAI

            return OpenAI()
        case DialectName.AZURE:
            from watcher.simulator.dialects.azure import Azure

            return Azure()
        case DialectName.TOGETHER:
            from watcher.simulator.dialects.together import Together

            return Together()
        case DialectName.FIREWORKS:
            from watcher.simulator.dialects.fireworks import Fireworks

            return Fireworks()
        case DialectName.VERTEX:
            from watcher.simulator.dialects.vertex import Vertex

            return Vertex()
