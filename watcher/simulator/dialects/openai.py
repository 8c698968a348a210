"""OpenAI's fine-tuning API."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from watcher.simulator import refusals
from watcher.simulator.batches import BATCHES_PATH, batch_document, is_batch
from watcher.simulator.course import Course
from watcher.simulator.dialect import Asked
from watcher.simulator.documents import Moment, job_document
from watcher.simulator.listing import Jobs, page_of_checkpoints, page_of_events, read_cut
from watcher.simulator.script import Endpoint, JobScript
from watcher.simulator.server import Received, Reply

JOBS_PATH = r"/fine_tuning/jobs(?:/(?P<id>[^/]+)(?P<events>/events|/checkpoints)?)?"


def asked_by(path: re.Pattern[str], received: Received) -> Asked | None:
    """Return what a request asks for, by a pattern with the groups `id` and `events`."""
    found = path.fullmatch(received.path)
    if found is None or received.method != "GET":
        return None
    if found["id"] is None:
        return Asked(Endpoint.LIST)
    return Asked(Endpoint.EVENTS if found["events"] else Endpoint.RETRIEVE, unquote(found["id"]))


class OpenAI:
    """Jobs lie at `/v1/fine_tuning/jobs`."""

    base_path = "/v1"
    tells_progress = False
    _path = re.compile(f"/v1{JOBS_PATH}")
    _batches = re.compile(f"/v1{BATCHES_PATH}")

    def find(self, received: Received) -> Asked | None:
        """See `Dialect`. A job is not found where batches are, nor a batch where jobs are."""
        for path, has_batches in ((self._path, False), (self._batches, True)):
            if asked := asked_by(path, received):
                is_here = asked.endpoint is Endpoint.LIST or is_batch(asked.job_id) is has_batches
                return asked if is_here else None
        return None

    def refusal(self, received: Received, api_key: str) -> Reply | None:
        """See `Dialect`."""
        return refusals.wrong_key(refusals.bearer_of(received), api_key)

    def document(self, job: JobScript, moment: Moment) -> dict[str, Any]:
        """See `Dialect`."""
        return batch_document(job, moment) if is_batch(job.id) else job_document(job, moment)

    def page(self, jobs: Jobs, received: Received) -> tuple[Reply, Sequence[Course]]:
        """See `Dialect`."""
        cut = read_cut(received.query)
        if isinstance(cut, Reply):
            return cut, ()
        lists_batches = self._batches.fullmatch(received.path) is not None
        return jobs.page(cut, received.at, lambda job_id: is_batch(job_id) is lists_batches)

    def events(self, course: Course, received: Received) -> Reply:
        """See `Dialect`."""
        if received.path.endswith("/checkpoints"):
            return page_of_checkpoints(course, received.at)
        cut = read_cut(received.query)
        return cut if isinstance(cut, Reply) else page_of_events(course, cut, received.at)

    def unknown_job(self, job_id: str) -> Reply:
        """See `Dialect`."""
        return refusals.unknown_job(job_id)

    def unknown_url(self, received: Received) -> Reply:
        """See `Dialect`."""
        return refusals.unknown_url(received)
