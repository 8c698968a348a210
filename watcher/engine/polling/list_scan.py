"""The list of a source's jobs: when it is read, how, and what follows from it.

One page holds a hundred jobs, but a list may lag behind, hold only some of the jobs, or not exist. So it can only
say that nothing is new: any other answer leads to a retrieve.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from watcher.domain.jobs import Job, Page
from watcher.domain.states import is_terminal
from watcher.engine.ports import JobSource
from watcher.plugins.source import ListOrder

CONCURRENT_PAGES = 8
"""Pages asked for side by side, once it is known where they begin."""
WORTH_A_PAGE = 2
"""Watched jobs that a page must hold for it to be asked for again: for fewer, retrieves are cheaper."""
BARREN_PAGES = 5
"""Pages without any watched job after which the rest of the list is not read."""
MOST_PAGES = 1_000
"""Pages of one scan: a list without an end is not read endlessly."""
LONGEST_SCAN = timedelta(minutes=2)
"""How long one scan may take, for the same reason."""
PAYS_FROM = 20
"""Jobs due at once from which a list page is worth trying in place of as many retrieves."""
LEAST_FOUND = 0.1
"""The share of the jobs it was read for that a list must hold."""
FIRST_PAUSE = timedelta(minutes=1)
"""How long retrieves are used after the list did not hold what it was read for: doubled each time it happens again.

At a cold start the first jobs to be looked for may all stand deep in the list.
"""
LONGEST_PAUSE = timedelta(minutes=30)
VERIFY_INTERVAL = timedelta(minutes=30)
"""How often a job is retrieved although the list has its status."""


class Strategy(StrEnum):
    """How the statuses of many jobs are asked for."""

    AUTO = "auto"
    """By list pages where many jobs are due at once and the list holds them, else one by one."""
    RETRIEVE = "retrieve"
    """One by one."""
    LIST = "list"
    """By list pages, even for few jobs; one by one only what the list does not hold."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """A part of the list: the jobs that come after `begin`, as far as `end`. None: from its top, to its bottom."""

    begin: str | None
    end: str | None


class ListScan:
    """Knows whether the list of a source is worth reading, and which parts of it.

    Where the list is ordered by age, a page begins after the same job as long as that job exists; new jobs come on top.
    Pages that were found to hold jobs of ours are read side by side the next time, the others not at all. A list in any
    other order is read from its top each time, one page after the other, until all that was looked for is found.
    """

    def __init__(
        self,
        source: JobSource,
        *,
        strategy: Strategy = Strategy.AUTO,
        interval: timedelta = timedelta(seconds=30),
        steady: Callable[[], float],
    ) -> None:
        """`interval` is how often the list is read; each job is verified once in VERIFY_INTERVAL."""
        self.strategy = strategy
        self.is_running = False
        """Whether a scan is under way."""
        self.pages = 0
        """How many the last scan took."""
        self.top: list[Page] = []
        """The pages that the last scan read one after the other from the top of the list."""
        self._source = source
        self._is_by_age = source.capabilities.order is ListOrder.NEWEST_FIRST
        self._verify_every = max(VERIFY_INTERVAL // interval, 1)
        self._steady = steady
        self._scans = 0
        self._segments = [_Segment(None, None)]
        self._slots = asyncio.Semaphore(CONCURRENT_PAGES)
        self._pause = FIRST_PAUSE
        self._paused_until = float("-inf")

    def is_possible(self) -> bool:
        """Return whether the list may be read now."""
        return self.strategy is not Strategy.RETRIEVE and not self.is_running and self._steady() >= self._paused_until

    def pays(self, due: Sequence[Job], limit: int) -> bool:
        """Return whether to read the list for these due jobs, of which at most `limit` were claimed.

        A job that was never seen has to be retrieved in any case.
        """
        if not self.is_possible():
            return False
        seen = sum(job.status is not None for job in due)
        least = 1 if self.strategy is Strategy.LIST else max(PAYS_FROM, self.pages * WORTH_A_PAGE)
        # When as many were due as could be claimed, there may be many more.
        return seen >= min(least, max(limit, PAYS_FROM))

    async def read(self, wanted: frozenset[str]) -> dict[str, str]:
        """Return the statuses of the wanted jobs that the list holds. Raises SourceError."""
        self._scans += 1
        if self._scans % self._verify_every == 0:
            self._start_anew()
        self.pages, self.top, found = 0, [], dict[str, str]()
        deadline = self._steady() + LONGEST_SCAN.total_seconds()
        readings = [asyncio.create_task(self._read(segment, wanted, found, deadline)) for segment in self._segments]
        self._start_anew()  # unless all goes well
        try:
            done, _ = await asyncio.wait(readings, return_when=asyncio.FIRST_EXCEPTION)
            for error in filter(None, [reading.exception() for reading in done]):
                raise error
            parts = [reading.result() for reading in readings]
        finally:
            for reading in readings:
                reading.cancel()
        if self._is_by_age:
            self._segments = [segment for part in parts for segment in part]
        self._judge(len(wanted), len(found))
        return found

    def settles(self, job: Job, listed: Mapping[str, str]) -> bool:
        """Return whether what the list says of a job is enough, so that it need not be retrieved."""
        status = listed.get(job.key.id)
        if status is None or status != job.status or is_terminal(job.state):
            return False
        return not self._is_to_be_verified(job.key.id)

    def give_up(self) -> None:
        """Leave the list alone for a while: the source has none, or it does not hold the jobs it was read for."""
        self._paused_until = self._steady() + self._pause.total_seconds()
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _judge(self, wanted: int, found: int) -> None:
        if found < wanted * LEAST_FOUND:
            self.give_up()
        else:
            self._pause = FIRST_PAUSE

    def _is_to_be_verified(self, job_id: str) -> bool:
        """Return whether this job is to be verified by a retrieve in this scan."""
        return zlib.crc32(job_id.encode()) % self._verify_every == self._scans % self._verify_every

    def _start_anew(self) -> None:
        """Read the list from its top the next time: what is known of it may no longer hold."""
        self._segments = [_Segment(None, None)]

    async def _read(
        self, segment: _Segment, wanted: frozenset[str], found: dict[str, str], deadline: float
    ) -> list[_Segment]:
        """Read a segment page by page; return the parts of it that are worth reading again."""
        worth: list[_Segment] = []
        begin, barren, seen = segment.begin, 0, set[str]()
        while True:
            page = await self._page(begin)
            if segment.begin is None:
                self.top.append(page)
            hits = {job_id: job.status for job_id, job in page.jobs.items() if job_id in wanted}
            # A service that does not know `after` shows the same jobs again and again. By age, jobs of ours stand close
            # together; in any other order they may stand anywhere.
            is_barren = hits.keys() <= found.keys() if self._is_by_age else page.jobs.keys() <= seen
            barren = barren + 1 if is_barren else 0
            found |= hits
            seen |= page.jobs.keys()
            is_last = page.after is None or page.after == segment.end or segment.end in page.jobs
            # What is new comes on top: that is always read, as far as to where the next part begins.
            if begin is None or len(hits) >= WORTH_A_PAGE:
                worth.append(_Segment(begin, segment.end if is_last else page.after))
            is_enough = barren == BARREN_PAGES or len(found) == len(wanted)
            if is_last or is_enough or self.pages >= MOST_PAGES or self._steady() >= deadline:
                return worth
            begin = page.after

    async def _page(self, begin: str | None) -> Page:
        async with self._slots:
            page = await self._source.page(begin)
        self.pages += 1
        return page
