"""Reading the list of a source's jobs: one page in place of a hundred retrieves."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass

from watcher.engine.ports import JobSource

PAGES_AT_ONCE = 8
"""Pages asked for side by side, once it is known where they begin."""
WORTH_A_PAGE = 2
"""Jobs of ours that a page must hold for it to be asked for again: for fewer, retrieves are cheaper."""
PATIENCE = 5
"""Pages without any job of ours after which the rest of the list is not read."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """A part of the list: the jobs that come after `begin`, as far as `end`. None: from its top, to its bottom."""

    begin: str | None
    end: str | None


class ListScan:
    """Knows which parts of a source's list are worth reading.

    The list is ordered by age, so a page begins after the same job as long as that job exists; new jobs come on top.
    Pages that were found to hold jobs of ours are read side by side the next time, the others not at all.
    """

    def __init__(self, name: str, source: JobSource, verify_every: int) -> None:
        """`name` is what logs call the source; each job is to be verified once in so many readings."""
        self.name = name
        self._source = source
        self._verify_every = verify_every
        self._readings = 0
        self.pages = 0
        """How many the last reading took."""
        self._stretches = [_Segment(None, None)]
        self._slots = asyncio.Semaphore(PAGES_AT_ONCE)

    async def read(self, wanted: frozenset[str]) -> dict[str, str]:
        """Return the statuses of the wanted jobs that the list tells of. Raises SourceError."""
        self._readings += 1
        if self._readings % self._verify_every == 0:
            self._start_anew()
        self.pages, found = 0, dict[str, str]()
        readings = [asyncio.create_task(self._read(stretch, wanted, found)) for stretch in self._stretches]
        self._start_anew()  # unless all goes well
        try:
            done, _ = await asyncio.wait(readings, return_when=asyncio.FIRST_EXCEPTION)
            for error in filter(None, [reading.exception() for reading in done]):
                raise error
            parts = [reading.result() for reading in readings]
        finally:
            for reading in readings:
                reading.cancel()
        self._stretches = [stretch for part in parts for stretch in part]
        return found

    def is_to_be_verified(self, job_id: str) -> bool:
        """Tell whether it is the turn of this job to be retrieved, though the list has told of it.

        A list may lag behind, or be wrong.
        """
        return zlib.crc32(job_id.encode()) % self._verify_every == self._readings % self._verify_every

    def _start_anew(self) -> None:
        """Read the list from its top the next time: what is known of it may no longer hold."""
        self._stretches = [_Segment(None, None)]

    async def _read(self, stretch: _Segment, wanted: frozenset[str], found: dict[str, str]) -> list[_Segment]:
        """Read a stretch page by page; return the parts of it that are worth reading again."""
        worth: list[_Segment] = []
        begin, barren = stretch.begin, 0
        while True:
            async with self._slots:
                page = await self._source.page(begin)
            self.pages += 1
            hits = {job_id: status for job_id, status in page.statuses.items() if job_id in wanted}
            # A service that does not know `after` shows the same jobs again and again.
            barren = 0 if hits.keys() - found.keys() else barren + 1
            found |= hits
            is_last = page.after is None or page.after == stretch.end or stretch.end in page.statuses
            # What is new comes on top: that is always read, as far as to where the next part begins.
            if begin is None or len(hits) >= WORTH_A_PAGE:
                worth.append(_Segment(begin, stretch.end if is_last else page.after))
            if is_last or barren == PATIENCE or len(found) == len(wanted):
                return worth
            begin = page.after
