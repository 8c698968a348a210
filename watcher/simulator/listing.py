"""Lists as the API cuts them into pages: so many entries, after an id, the newest first."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from itertools import islice
from urllib.parse import parse_qsl

from watcher.simulator.course import Course
from watcher.simulator.events import checkpoints_of, event_document, event_id
from watcher.simulator.refusals import JSON, unknown_job, wrong_parameter
from watcher.simulator.server import Reply

USUAL_LIMIT = 20
_LIMIT = re.compile("[1-9][0-9]{0,8}")
_METADATA, _END = "metadata[", "]"


@dataclass(frozen=True, slots=True)
class Cut:
    """Which entries of a list are asked for."""

    after: str | None
    limit: int
    metadata: Mapping[str, str]
    """What the metadata of a job have to say."""


def read_cut(query: str) -> Cut | Reply:
    """Read the query of a request for a list; return the refusal of one that cannot be served."""
    given = dict(parse_qsl(query, keep_blank_values=True))
    limit = given.get("limit", str(USUAL_LIMIT))
    if not _LIMIT.fullmatch(limit):
        return wrong_parameter("limit", f"expected a whole number from 1 up, but got {limit!r} instead")
    metadata = {
        name.removeprefix(_METADATA).removesuffix(_END): value
        for name, value in given.items()
        if name.startswith(_METADATA) and name.endswith(_END)
    }
    return Cut(given.get("after"), int(limit), metadata)


class Jobs:
    """The jobs of the API."""

    def __init__(self) -> None:
        self._by_id: dict[str, Course] = {}
        """In the order of their creation."""
        self._newest_first: list[Course] = []
        self._positions: dict[str, int] = {}

    def add(self, course: Course) -> None:
        """Put a job at the top of the list; one with the same id is replaced."""
        self._by_id.pop(course.job.id, None)
        self._by_id[course.job.id] = course
        self._newest_first = []

    def get(self, job_id: str) -> Course | None:
        """Return the job, if there is such a one."""
        return self._by_id.get(job_id)

    def __getitem__(self, job_id: str) -> Course:
        """Return the job. Raises KeyError for an unknown one."""
        return self._by_id[job_id]

    def all(self) -> Sequence[Course]:
        """Return all jobs, the oldest first."""
        return tuple(self._by_id.values())

    def page(self, cut: Cut, now: datetime, is_listed: Callable[[str], bool]) -> tuple[Reply, Sequence[Course]]:
        """Return a page of the list of those jobs whose id is to be listed, and the jobs whose status it says."""
        if not self._newest_first:
            self._newest_first = list(reversed(self._by_id.values()))
            self._positions = {course.job.id: position for position, course in enumerate(self._newest_first)}
        if cut.after is not None and cut.after not in self._positions:
            return unknown_job(cut.after, param="after"), ()
        start = 0 if cut.after is None else self._positions[cut.after] + 1
        # By position: what lies before the page costs nothing, of however many jobs.
        rest = (self._newest_first[position] for position in range(start, len(self._newest_first)))
        found = list(islice((job for job in rest if is_listed(job.job.id) and _matches(job, cut)), cut.limit + 1))
        listed = found[: cut.limit]
        return _page((course.body(now) for course in listed), has_more=len(found) > cut.limit), listed


def newest_first(jobs: Sequence[Course], token: str | None, size: int) -> tuple[Sequence[Course], str | None]:
    """Cut a page out of these jobs, which begin with the oldest; return it and the token of the next one.

    For services with opaque tokens: one says which job was the last of the page before.
    """
    ids = [course.job.id for course in reversed(jobs)]
    start = ids.index(token) + 1 if token in ids else 0
    page = tuple(reversed(jobs))[start : start + size]
    return page, page[-1].job.id if start + size < len(ids) else None


def page_of_events(course: Course, cut: Cut, now: datetime) -> Reply:
    """Return a page of the events of a job."""
    events = course.events(now)
    end = len(events)
    if cut.after is not None:
        ids = [event_id(course.job, number) for number in range(end)]
        if cut.after not in ids:
            return wrong_parameter("after", f"no such event: {cut.after}")
        end = ids.index(cut.after)
    start = max(end - cut.limit, 0)
    documents = (event_document(course.job, number, events[number]) for number in reversed(range(start, end)))
    return _page((json.dumps(document).encode() for document in documents), has_more=start > 0)


def page_of_checkpoints(course: Course, now: datetime) -> Reply:
    """Return the checkpoints of a job, the newest first: one when it has succeeded."""
    checkpoints = checkpoints_of(course.job, course.events(now))
    return _page((json.dumps(document).encode() for document in checkpoints), has_more=False)


def _matches(course: Course, cut: Cut) -> bool:
    return not cut.metadata or cut.metadata.items() <= course.job.metadata.items()


def _page(bodies: Iterable[bytes], *, has_more: bool) -> Reply:
    """Return the list of what is JSON already."""
    data, more = b", ".join(bodies), b"true" if has_more else b"false"
    return Reply(HTTPStatus.OK, JSON, b'{"object": "list", "data": [%b], "has_more": %b}' % (data, more))
