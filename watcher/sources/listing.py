"""What a page of a list tells of each job: its id and its status, and nothing else is read."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from pydantic import BaseModel

from watcher.domain.jobs import is_job_id
from watcher.sources.decoding import complaint_about
from watcher.sources.lenient import Text


class ListedJob(BaseModel):
    """A job as a list names it."""

    id: Text = None
    status: Text = None


def statuses_of(entries: Iterable[ListedJob | None]) -> tuple[dict[str, str], str | None]:
    """Return the status of each job by its id, and the last id. What has no usable id or status is left out."""
    statuses: dict[str, str] = {}
    last = None
    for entry in entries:
        if entry is None or entry.id is None or not is_job_id(entry.id):
            continue
        last = entry.id
        if entry.status is not None and complaint_about(entry.status) is None:
            # Ten thousand jobs share a handful of statuses.
            statuses[entry.id] = sys.intern(entry.status)
    return statuses, last
