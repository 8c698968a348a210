"""Jobs as they are named on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass

from watcher.domain.jobs import JobKey, split_reference

_ID_IN_ADDRESS = re.compile(r"[/=](ft(?:job)?-[A-Za-z0-9_-]+)(?=$|[/?#&])")
"""An id of OpenAI's and of services like it, as a part of a path or as a value in a query."""


@dataclass(frozen=True, slots=True)
class JobReference:
    """A job as named on the command line: `ID`, or `SOURCE/ID`."""

    source: str | None
    id: str

    def key(self, default_source: str) -> JobKey:
        """Return the key, with the source given for a reference that names none."""
        return JobKey(self.source or default_source, self.id)


def parse_reference(text: str) -> JobReference:
    """Read `ID` or `SOURCE/ID`, or take the id out of the address of a page about the job.

    Raises ValueError, whose text goes on from `… is not`.
    """
    if "://" in text:
        found = _ID_IN_ADDRESS.findall(text)
        if len(set(found)) != 1:
            raise ValueError("a job: it is an address without a job's id that is plain to see; give the id alone")
        return JobReference(None, found[0])
    try:
        return JobReference(*split_reference(text))
    except ValueError as error:
        raise ValueError(f"a job: expected {error}") from None
