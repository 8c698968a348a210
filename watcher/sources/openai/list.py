"""A page of the list of jobs, of which only ids and statuses are read: a hundred jobs cost less than one retrieve."""

from __future__ import annotations

import sys

from pydantic import BaseModel

from watcher.domain.jobs import Page, is_job_id
from watcher.sources.decoding import read, text_of
from watcher.sources.lenient import Flag, Text, Tolerant
from watcher.sources.openai.wire import complaint_about

PAGE_SIZE = 100
"""Jobs asked for at once. No maximum is documented; the API's usual page has 20."""


class _Entry(BaseModel):
    id: Text = None
    status: Text = None


class _Listed(BaseModel):
    data: list[Tolerant[_Entry]] | None
    """Null where a service writes an empty list so."""
    has_more: Flag = None


def parse_page(body: bytes, asked_after: str | None) -> Page:
    """Read the answer to the question for the page behind the id given.

    An entry without a usable id and status is left out. Raises MalformedResponseError for anything but a list.
    """
    listed = read(_Listed, text_of(body))
    entries = listed.data or []
    statuses: dict[str, str] = {}
    last = None
    for entry in entries:
        if entry is None or entry.id is None or not is_job_id(entry.id):
            continue
        last = entry.id
        if entry.status is not None and complaint_about(entry.status) is None:
            # Ten thousand jobs share a handful of statuses.
            statuses[entry.id] = sys.intern(entry.status)
    # Who says nothing, and gives more than was asked for, knows no pages: that was all.
    has_more = len(entries) == PAGE_SIZE if listed.has_more is None else listed.has_more
    # A page that ends where it was to begin leads nowhere: the service does not know `after`.
    return Page(statuses, last if has_more and last != asked_after else None)
