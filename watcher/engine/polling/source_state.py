"""What goes on at one source."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from watcher.domain.jobs import Job, JobKey, Observation
from watcher.domain.polling_policy import (
    LONGEST_RETRY_AFTER,
    PROBE_INTERVAL,
    PollFailure,
    PollingPolicy,
    PollOutcome,
    urgency,
)
from watcher.engine.polling.circuit_breaker import CircuitBreaker
from watcher.engine.polling.list_scan import WORTH_A_PAGE, ListScan
from watcher.engine.polling.rate_limit import RateLimit
from watcher.engine.ports import ClaimRequest, JobSource

LISTING_PAYS_FROM = 20
"""Jobs due at once from which a list page is worth trying in place of as many retrieves."""
LEAST_HELD = 0.1
"""The share of the jobs it was read for that a list must hold."""
LISTING_PAUSE = timedelta(minutes=30)
"""How long retrieves are used after the list did not tell what it was read for."""
VERIFY_INTERVAL = timedelta(minutes=30)
"""How often a job is retrieved though the list tells its status."""
MOST_LISTED = 50_000
"""Jobs that one reading of the list may look after."""
BUDGETED_AHEAD_SECONDS = 1.0
"""How far ahead polls are started that still wait for their turn in a budget: about a tick."""


class Strategy(StrEnum):
    """How the statuses of many jobs are asked for."""

    AUTO = "auto"
    """By list pages where many jobs are due at once and the list holds them, else one by one."""
    RETRIEVE = "retrieve"
    """One by one."""
    LIST = "list"
    """By list pages, even for few jobs; one by one only what the list does not hold."""


@dataclass(slots=True)
class Lane:
    """A source, how it is asked, and what is under way there."""

    name: str
    source: JobSource
    polling_policy: PollingPolicy
    at_once: int
    """Retrieves under way at most."""
    strategy: Strategy = Strategy.AUTO
    rate_limit: RateLimit | None = None
    durations: Mapping[str, Sequence[timedelta]] = field(default_factory=dict)
    """How long earlier jobs were in each status."""

    circuit_breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    in_hand: set[JobKey] = field(default_factory=set)
    """The jobs that were taken, and whose polls have not ended."""
    asking: int = 0
    """Retrieves under way."""
    waiting: deque[tuple[Job, datetime]] = field(default_factory=deque)
    """Jobs to be retrieved when there is room, and when they were taken."""
    is_behind: bool = False
    """Whether more jobs were due than there was room for."""
    sweep: ListScan = field(init=False)
    is_sweeping: bool = False
    last_answer: datetime | None = None
    failing_since: datetime | None = None
    """The first failed poll after the last one that reached the source."""
    error: str | None = None
    _listing_pauses_at: datetime | None = None

    def __post_init__(self) -> None:
        """Make the reader of the list, whose rounds depend on the rhythm."""
        self.sweep = ListScan(self.name, self.source, max(VERIFY_INTERVAL // self.polling_policy.interval, 1))

    @property
    def longest_wait(self) -> timedelta:
        """The longest time for which a job of this source may rightly not be due."""
        return max(self.polling_policy.max_interval, LONGEST_RETRY_AFTER, PROBE_INTERVAL)

    def note(self, result: Observation | PollFailure | None, now: datetime) -> None:
        """Note what a request came to."""
        if isinstance(result, PollFailure):
            self.error = result.error
            has_failed = result.outcome is PollOutcome.FAILED
            self.failing_since = min(self.failing_since or now, now) if has_failed else None
        else:
            self.last_answer, self.failing_since, self.error = now, None, None

    def room(self, now: datetime) -> int:
        """Return how many retrieves may be started now."""
        room = self.circuit_breaker.room(max(self.at_once - self.asking, 0), now)
        return min(room, self.rate_limit.room(BUDGETED_AHEAD_SECONDS)) if self.rate_limit else room

    def wants(self, now: datetime) -> ClaimRequest | None:
        """Say which due jobs are wanted now; None for none."""
        room = self.room(now) - len(self.waiting)
        if room <= 0:
            return None
        may_list = self.may_list(now)
        if may_list and self.strategy is Strategy.LIST:
            return self.wants_for_list(now)
        if self.rate_limit is None:
            return ClaimRequest(room, now + self.polling_policy.interval)
        # Where requests are scarce, it must still be seen that there are enough jobs for a list page.
        room = max(room, LISTING_PAYS_FROM) if may_list else room
        return ClaimRequest(
            room,
            now + self.polling_policy.interval,
            urgency=partial(urgency, polling_policy=self.polling_policy, now=now),
        )

    def wants_for_list(self, now: datetime) -> ClaimRequest:
        """Say which jobs the list is read for: also what falls due before it is read again."""
        return ClaimRequest(MOST_LISTED, now + self.polling_policy.interval, ahead=self.polling_policy.interval)

    def may_list(self, now: datetime) -> bool:
        """Tell whether the list can be read now."""
        if self.strategy is Strategy.RETRIEVE or self.circuit_breaker.rejection or self.is_sweeping:
            return False
        since = self._listing_pauses_at
        return since is None or not timedelta() <= now - since < LISTING_PAUSE

    def listing_pays_from(self) -> int:
        """Return how many jobs must be due for it to pay to read the list."""
        if self.strategy is Strategy.LIST:
            return 1
        return max(LISTING_PAYS_FROM, self.sweep.pages * WORTH_A_PAGE)

    def judge_list(self, wanted: int, found: int, now: datetime) -> None:
        """Note how many of the wanted jobs the list told of; one that does not hold them is left alone for a while."""
        if found < wanted * LEAST_HELD:
            self._listing_pauses_at = now

    def is_short_of_work(self) -> bool:
        """Tell whether there is room for more of what is known to be due."""
        return (self.is_behind or bool(self.waiting)) and self.asking * 2 <= self.at_once
