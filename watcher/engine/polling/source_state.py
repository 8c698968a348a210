"""How a source stands: what is claimed and in flight there, and how it has been answering."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from watcher.domain.conditions import Health
from watcher.domain.health import DiscoveryHealth
from watcher.domain.jobs import Job, JobKey, Observation
from watcher.domain.polling_policy import (
    LONGEST_RETRY_AFTER,
    PROBE_INTERVAL,
    PollFailure,
    PollingPolicy,
    PollOutcome,
    WebhookProof,
    urgency,
)
from watcher.engine.polling.circuit_breaker import CircuitBreaker
from watcher.engine.polling.discovery import Discovery
from watcher.engine.polling.list_scan import PAYS_FROM, ListScan, Strategy
from watcher.engine.polling.look_allowance import LookAllowance
from watcher.engine.polling.rate_limit import RateLimit
from watcher.engine.polling.request_rate import RequestRate
from watcher.engine.ports import ClaimRequest, JobSource

MOST_LISTED = 50_000
"""Jobs that one scan of the list may look after."""
CLAIMED_AT_ONCE = 5_000
"""Jobs that one transaction claims for a scan: a tenth of a second of the store, which deliveries wait for."""
JUDGED_AT_ONCE = 1_000
"""Jobs of a scan that are looked at before other tasks get their turn: some 10 ms."""
MOST_TOLD = 10_000
"""Jobs that webhooks told of and that are remembered until their ends are found."""
NEWS_AT_ONCE = 6
"""How much news is asked for together, as far as that can be told: each piece waits for all that is told with it."""
NEWS_MEMORY = 200
"""Over about how many polls their news is averaged."""
RATE_LIMITED_AHEAD_SECONDS = 1.0
"""How far ahead polls are started that still wait for the rate limit: about a tick."""


@dataclass(slots=True)
class SourceState:
    """A source, and what is under way there. Its methods are the only writers of its fields."""

    name: str
    source: JobSource
    policy: PollingPolicy
    concurrency: int
    """Retrieves in flight at most."""
    scan: ListScan
    breaker: CircuitBreaker
    looks: LookAllowance
    """What looks at events may take of it."""
    requests: RequestRate
    """Counts what it gets."""
    rate_limit: RateLimit | None = None
    discovery: Discovery | None = None
    """Finds the jobs that rules adopt; None where there is no rule."""
    claimed_at_once: int = CLAIMED_AT_ONCE
    most_listed: int = MOST_LISTED
    judged_at_once: int = JUDGED_AT_ONCE
    usual_stays: Mapping[str, timedelta] = field(default_factory=dict)
    """How long jobs usually are in a status, where earlier ones tell."""

    proof: WebhookProof = field(default_factory=WebhookProof)
    """Whether webhooks of the source arrive here."""
    last_answer: datetime | None = None
    failing_since: datetime | None = None
    """The first failed poll after the last one that reached the source."""
    error: str | None = None
    _told: dict[JobKey, None] = field(default_factory=dict)
    """The jobs that a webhook has told of, the last one last, and whose ends were not found yet."""
    _again: set[JobKey] = field(default_factory=set)
    """The jobs that a webhook has told of while they were being asked for."""
    _claimed: set[JobKey] = field(default_factory=set)
    """The jobs that were claimed, and whose polls have not finished."""
    _waiting: deque[tuple[Job, datetime]] = field(default_factory=deque)
    """Jobs to be retrieved when there is a free slot, and when they were claimed."""
    _in_flight: int = 0
    _is_behind: bool = False
    """Whether more jobs were due than could be claimed."""
    _full_claims: int = 0
    """How often in a row that was so although at least half of the slots were free."""
    _share_of_news: float = 0.0
    """How many of the last polls brought news."""

    @property
    def longest_wait(self) -> timedelta:
        """The longest regular wait of a job of this source."""
        return max(self.policy.max_interval, LONGEST_RETRY_AFTER, PROBE_INTERVAL)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is claimed, and no scan is under way."""
        is_discovering = self.discovery is not None and self.discovery.is_running
        return not self._claimed and not self.scan.is_running and not is_discovering

    def health(self) -> Health:
        """Return how the source has been answering."""
        return Health(self.name, self.last_answer, self.failing_since, self.error, self.breaker.rejection)

    def claim_request(self, now: datetime) -> ClaimRequest | None:
        """Return which due jobs are wanted now; None for none."""
        if (hears_ends := self.proof.holds(now)) != self.policy.hears_ends:
            self.policy = replace(self.policy, hears_ends=hears_ends)
        limit = self._free_slots() - len(self._waiting)
        if limit <= 0:
            return None
        may_scan = self.scan.is_possible() and not self.breaker.rejection
        if may_scan and self.scan.strategy is Strategy.LIST:
            return self.claim_request_for_scan(now)
        if self.rate_limit is None:
            return ClaimRequest(limit, now + self.policy.interval)
        # Where requests are scarce, it must still be seen that there are enough jobs for a list page.
        limit = max(limit, PAYS_FROM) if may_scan else limit
        return ClaimRequest(limit, now + self.policy.interval, urgency=partial(urgency, policy=self.policy, now=now))

    def claim_request_for_scan(self, now: datetime, *, is_rest: bool = False) -> ClaimRequest:
        """Return which jobs the list is read for: also what falls due before it is read again, a part at a time."""
        next_due = now + self.policy.interval
        # What was just claimed is due at that very time: it is not to be claimed again.
        ahead = self.policy.interval - timedelta.resolution
        return ClaimRequest(self.claimed_at_once, next_due, ahead=ahead, is_rest=is_rest)

    def claim(self, jobs: Iterable[Job]) -> list[Job]:
        """Note that jobs were claimed; return them, those whose polls are still under way aside."""
        mine = [job for job in jobs if job.key not in self._claimed]
        self._claimed.update(job.key for job in mine)
        return mine

    def release(self, job: Job) -> None:
        """Note that a claimed job needs no retrieve, or that its poll has finished."""
        self._claimed.discard(job.key)

    def note_told(self, key: JobKey, most: int = MOST_TOLD) -> None:
        """Note that a webhook tells of a job."""
        self._told[key] = None
        if len(self._told) > most:  # of jobs that other watchers poll
            del self._told[next(iter(self._told))]
        if key in self._claimed:
            self._again.add(key)

    def is_told_anew(self, key: JobKey) -> bool:
        """Return once whether a webhook came while the job was being asked for: the answer may be older than it."""
        is_told = key in self._again
        self._again.discard(key)
        return is_told

    def note_end(self, key: JobKey, now: datetime) -> None:
        """Note that a poll has found the end of a job."""
        self.proof = self.proof.after_end(now, was_told=key in self._told)
        self._told.pop(key, None)

    def enqueue(self, jobs: Iterable[Job], claimed_at: datetime) -> None:
        """Have claimed jobs retrieved when there is a free slot."""
        self._waiting.extend((job, claimed_at) for job in jobs)

    def note_claimed(self, count: int, limit: int) -> None:
        """Note how many jobs a claim brought, of those it asked for."""
        self._is_behind = count == limit
        if not self._is_behind:
            self._full_claims = 0
        elif limit * 2 >= self.concurrency:
            self._full_claims += 1

    def note_poll(self, *, is_news: bool) -> None:
        """Note whether a poll brought news."""
        self._share_of_news += (is_news - self._share_of_news) / NEWS_MEMORY

    @property
    def can_start(self) -> bool:
        """Whether a job waits that may be retrieved now. After `start` that is one that was held back."""
        return bool(self._waiting) and self._free_slots() > 0

    @property
    def _is_late(self) -> bool:
        return self._full_claims > 1

    def start(self) -> list[tuple[Job, datetime]]:
        """Take from the queue what is to be retrieved now; each must be finished.

        Where polls bring much news, some of what waits is held back, unless jobs are late.
        """
        count = min(self._free_slots(), len(self._waiting))
        if not self._is_late and count * self._share_of_news > NEWS_AT_ONCE:
            count = int(NEWS_AT_ONCE / self._share_of_news)
        started = [self._waiting.popleft() for _ in range(count)]
        self._in_flight += count
        if count:
            self.breaker.note_started()
        return started

    @property
    def is_discovery_due(self) -> bool:
        """Whether new jobs have to be looked for."""
        return self.discovery is not None and self.discovery.is_due()

    def discovered(self) -> list[DiscoveryHealth]:
        """Say what each rule has found."""
        return self.discovery.health() if self.discovery else []

    def start_discovery(self) -> Discovery | None:
        """Return what is to look for new jobs now, if it is time to; it must be let know when it has ended."""
        discovery = self.discovery
        if discovery is None or not discovery.is_due():
            return None
        if not discovery.has_offer:
            if self.scan.is_running or not self.breaker.allowed(1):
                return None
            self.breaker.note_started()
        discovery.is_running = True
        return discovery

    def finish(self, job: Job) -> bool:
        """Note that a retrieve has ended; return whether more jobs could be started at once."""
        self.release(job)
        self._in_flight -= 1
        return (self._is_behind or bool(self._waiting)) and self._in_flight * 2 <= self.concurrency

    def note_result(self, result: Observation | PollFailure | None, now: datetime) -> bool:
        """Note what a request came to; return whether the source deals with us again after it had rejected us."""
        failure = result if isinstance(result, PollFailure) else None
        if failure is None:
            self.last_answer, self.failing_since, self.error = now, None, None
        else:
            self.error = failure.error
            has_failed = failure.outcome is PollOutcome.FAILED
            self.failing_since = min(self.failing_since or now, now) if has_failed else None
            if failure.retry_after:
                self.breaker.pause(failure.retry_after)
        # An answer that a job is unknown is an answer of a source that accepts our credentials.
        is_accepted = failure is None or failure.outcome is PollOutcome.MISSING
        return is_accepted and self.breaker.reset()

    def clock_stepped(self, step: timedelta) -> None:
        """Keep what was measured by the host's clock right after the clock was set by `step`."""
        if self.failing_since:
            self.failing_since += step
        if self.last_answer:
            self.last_answer += step

    def _free_slots(self) -> int:
        free = self.breaker.allowed(max(self.concurrency - self._in_flight, 0))
        return min(free, self.rate_limit.available(RATE_LIMITED_AHEAD_SECONDS)) if self.rate_limit else free
