"""Whether a list is ordered by age: as its service says, or as it has shown itself to be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from watcher.domain.discovery_line import LAG
from watcher.domain.jobs import Page
from watcher.plugins.source import ListOrder

JITTER = timedelta(minutes=1)
"""How much younger than the one before it a job of a list that is ordered by age may be."""
LEAST_JOBS = 100
"""Jobs that a whole list must hold to show its order."""
LEAST_SPAN = timedelta(hours=1)
"""How far apart the first and the last of them must have been created: what came at once has no order."""
PROOF_INTERVAL = LAG / 2
"""How often a list that has shown its order is read whole all the same. A job that stands deep although it is new is
found then, for the line of a rule leaves jobs of a longer time undecided."""


class ListAge:
    """Knows of one list whether what is new stands on top of it, so that a reading may end at what is known."""

    def __init__(self, order: ListOrder, steady: Callable[[], float]) -> None:
        """`order` is what the service says."""
        self._is_by_age = order in {ListOrder.NEWEST_FIRST, ListOrder.IN_PARTS}
        self._may_show = order is ListOrder.UNKNOWN
        """Whether the order is not known, but may be seen from the list."""
        self._steady = steady
        self._shown_at: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether the list is ordered by age, as far as is known."""
        return self._is_by_age or self._shown_at is not None

    def suffices(self) -> bool:
        """Tell whether a reading that begins now may end at what is known."""
        return self._is_by_age or (
            self._shown_at is not None and self._steady() - self._shown_at < PROOF_INTERVAL.total_seconds()
        )

    def refutes(self, page: Page) -> bool:
        """Tell whether a page shows for the first time that the list is not ordered by age."""
        if not self.is_known or _is_by_age(_times((page,))):
            return False
        self._is_by_age, self._shown_at = False, None
        return True

    def proves(self, whole: Sequence[Page]) -> bool:
        """Tell whether the pages of a whole list, of which nothing says its order, show for the first time that it is.

        Each further time the order holds for as long again.
        """
        was_known = self.is_known
        if self._may_show:
            times = _times(whole)
            is_shown = (
                len(times) >= LEAST_JOBS
                and len(times) == sum(len(page.jobs) for page in whole)
                and times[0] - times[-1] >= LEAST_SPAN
                and _is_by_age(times)
            )
            self._shown_at = self._steady() if is_shown else None
        return self.is_known and not was_known


def _times(pages: Iterable[Page]) -> list[datetime]:
    return [job.created_at for page in pages for job in page.jobs.values() if job.created_at]


def _is_by_age(times: Sequence[datetime]) -> bool:
    """Tell whether no job is younger than the one before it."""
    return all(later <= earlier + JITTER for earlier, later in pairwise(times))
