"""A page of the list of jobs."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from watcher.domain.jobs import Page
from watcher.sources.decoding import read, text_of
from watcher.sources.lenient import Flag, Tolerant
from watcher.sources.listing import MOST_ENTRIES, Fact, ListEntry, listed_jobs
from watcher.sources.openai.dialect import PAGE_SIZE


class _Entry(ListEntry):
    user_provided_suffix: Fact = None
    """Not documented, but given by OpenAI."""
    suffix: Fact = None
    """Given by Azure and some other services."""

    @property
    def title(self) -> str | None:
        return self.user_provided_suffix or self.suffix


class _Listed(BaseModel):
    data: Annotated[list[Tolerant[_Entry]], Field(max_length=MOST_ENTRIES)] | None
    """Null where a service writes an empty list so."""
    has_more: Flag = None


def parse_page(body: bytes, asked_after: str | None) -> Page:
    """Read the answer to the question for the page behind the id given.

    An entry without a usable id and status is left out. Raises MalformedResponseError for anything but a list.
    """
    listed = read(_Listed, text_of(body))
    entries = listed.data or []
    jobs, last = listed_jobs(entries)
    # Who says nothing, and gives more than was asked for, knows no pages: that was all.
    has_more = len(entries) == PAGE_SIZE if listed.has_more is None else listed.has_more
    # A page that ends where it was to begin leads nowhere: the service does not know `after`.
    return Page(jobs, last if has_more and last != asked_after else None)
