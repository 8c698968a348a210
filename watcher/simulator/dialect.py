"""A dialect of the simulator: paths, authorisation, and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
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
        """Return what a path stands for; None for one that is not served."""
        ...

    def refusal(self, received: Received, api_key: str) -> Reply | None:
        """Return the answer to a request without the right key; None for one that is authorised."""
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


_CLASSES: Mapping[DialectName, str] = {
    DialectName.OPENAI: "OpenAI",
    DialectName.AZURE: "Azure",
    DialectName.TOGETHER: "Together",
    DialectName.FIREWORKS: "Fireworks",
    DialectName.VERTEX: "Vertex",
    DialectName.BEDROCK: "Bedrock",
    DialectName.REPLICATE: "Replicate",
    DialectName.HUGGINGFACE: "HuggingFace",
    DialectName.MISTRAL: "Mistral",
    DialectName.LOCALAI: "LocalAI",
}


def dialect_of(name: DialectName) -> Dialect:
    """Return a dialect, importing no other one."""
    dialect: Dialect = getattr(import_module(f"watcher.simulator.dialects.{name}"), _CLASSES[name])()
    return dialect
