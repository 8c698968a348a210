"""What the dialects share whose services know jobs and a list of them, and take a bearer token."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote

from watcher.simulator import refusals
from watcher.simulator.course import Course
from watcher.simulator.dialect import Asked
from watcher.simulator.refusals import JSON
from watcher.simulator.script import Endpoint
from watcher.simulator.server import Received, Reply


class JobsOnly(ABC):
    """A dialect but for its documents: each job lies below the list, and there are no events."""

    base_path = ""
    tells_progress = False
    path: ClassVar[re.Pattern[str]]
    """Matches the path of the list, and that of a job, whose id is in the group `id`."""
    refused: ClassVar[Reply]
    """The answer to a request without the right key."""

    def find(self, received: Received) -> Asked | None:
        """See `Dialect`."""
        found = self.path.fullmatch(received.path)
        if found is None or received.method != "GET":
            return None
        return Asked(Endpoint.LIST) if found["id"] is None else Asked(Endpoint.RETRIEVE, self.script_id(found))

    def script_id(self, found: re.Match[str]) -> str:
        """Return the id that the script has for the job at a path."""
        return unquote(found["id"])

    def refusal(self, received: Received, api_key: str) -> Reply | None:
        """See `Dialect`."""
        return None if refusals.bearer_of(received) == api_key else self.refused

    def events(self, course: Course, received: Received) -> Reply:  # noqa: ARG002 - it keeps none
        """See `Dialect`."""
        return self.unknown_url(received)

    @abstractmethod
    def unknown_url(self, received: Received) -> Reply:
        """See `Dialect`."""


def query_of(received: Received) -> dict[str, str]:
    """Return the parameters of a request, the first of each name."""
    return {name: values[0] for name, values in parse_qs(received.query).items()}


def documents_of(page: Iterable[Course], now: datetime) -> list[dict[str, Any]]:
    """Return the objects of these jobs as they stand now."""
    return [json.loads(course.body(now)) for course in page]


def json_reply(
    content: Any, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] = MappingProxyType({})
) -> Reply:
    """Return an answer in JSON."""
    return Reply(status, {**JSON, **headers}, json.dumps(content).encode())
