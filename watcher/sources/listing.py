"""What a page of a list tells of each job: a hundred of them cost less than one retrieve.

Only its id and its status are needed. The rest is what rules of discovery match, and is read as far as it is usable.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, Field

from watcher.domain.jobs import NO_METADATA, ListedJob, is_job_id
from watcher.errors import MalformedResponseError
from watcher.sources.decoding import complaint_about
from watcher.sources.lenient import EARLIEST, LATEST, Text, Tolerant

LONGEST_FACT = 512
"""Characters of a name, a model, or a key or value of metadata: OpenAI takes as many. Pages are kept in memory."""
MOST_METADATA = 64
"""Entries of the metadata of a job; OpenAI takes 16."""

MOST_ENTRIES = 10_000
"""Entries of a page. The services give a hundred at once; one that knows no pages gives all its jobs."""

Fact = Tolerant[Annotated[str, Field(max_length=LONGEST_FACT)]]
"""Text of a length that is worth keeping."""
Metadata = Tolerant[
    Annotated[dict[Annotated[str, Field(max_length=LONGEST_FACT)], Fact], Field(max_length=MOST_METADATA)]
]
Moment = Tolerant[datetime]
"""A moment as `Timestamp` reads it, in pydantic's compiled code: a page has a hundred of them."""


class ListEntry(BaseModel):
    """A job as a list describes it. Where a service says it in other words, the fields are given aliases, or more."""

    id: Text = None
    status: Text = None
    created_at: Moment = None
    model: Fact = None
    name: Fact = None
    metadata: Metadata = None

    @property
    def title(self) -> str | None:
        """What people called the job."""
        return self.name


def listed_jobs(entries: Iterable[ListEntry | None]) -> tuple[dict[str, ListedJob], str | None]:
    """Return the jobs of a page by id, and the last id. What has no usable id or status is left out.

    Raises MalformedResponseError for more than MOST_ENTRIES: the pages of a list are kept in memory.
    """
    jobs: dict[str, ListedJob] = {}
    last = None
    for number, entry in enumerate(entries):
        if number == MOST_ENTRIES:
            raise MalformedResponseError(f"malformed answer: a page of more than {MOST_ENTRIES:,} jobs")
        if entry is None or entry.id is None or not is_job_id(entry.id):
            continue
        last = entry.id
        if entry.status is not None and _is_usable(entry.status):
            # Ten thousand jobs share a handful of statuses and models.
            jobs[entry.id] = ListedJob(
                sys.intern(entry.status),
                _aware(entry.created_at),
                sys.intern(entry.model) if entry.model else None,
                entry.title or None,
                _texts(entry.metadata),
            )
    return jobs, last


@lru_cache(maxsize=256)
def _is_usable(status: str) -> bool:
    return complaint_about(status) is None


def _aware(at: datetime | None) -> datetime | None:
    """Return the moment, which is in UTC where it has no offset; None for what is no date of a job."""
    if at is None or not EARLIEST.year <= at.year < LATEST.year:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _texts(metadata: Mapping[str, str | None] | None) -> Mapping[str, str]:
    if not metadata:
        return NO_METADATA
    if None not in metadata.values():
        return metadata  # type: ignore[return-value] # as was just seen
    return {name: value for name, value in metadata.items() if value is not None}
