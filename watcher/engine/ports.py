"""What the pipeline needs of the world outside."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from watcher.plugins import notifier, source

if TYPE_CHECKING:
    # What the ports speak of, and do not use: `watch` needs few of them.
    from watcher.domain.conditions import Condition
    from watcher.domain.deliveries import Delivery, Settlement
    from watcher.domain.discovery_line import Line
    from watcher.domain.jobs import Job, JobKey, JobSpec
    from watcher.domain.notifications import Planned
    from watcher.domain.telemetry import MetricPoint, Milestone
    from watcher.domain.transitions import Transition

JobSource = source.Source
"""A service that runs jobs."""
Notifier = notifier.Notifier
"""A named destination."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition as it was found, which is an event if it differs from what the store holds."""

    condition: Condition
    at: datetime
    recipients: tuple[Planned, ...]
    """Which notifiers get the event."""
    job: Job | None = None
    """The job as it was when it was found stuck; the store refuses it when the job has moved on since."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a poll changes in the store: the job, its transition, and the recipients."""

    seen: int
    """The `seq` that the change is based on; the store refuses it when another watcher has changed the job."""
    job: Job
    """The job as it stands now."""
    transition: Transition | None = None
    recipients: tuple[Planned, ...] = ()
    """Which notifiers get the transition."""
    conditions: tuple[Finding, ...] = ()
    """Conditions of the job that the poll has found."""

    @property
    def has_events(self) -> bool:
        """Whether it holds an event."""
        return self.transition is not None or bool(self.conditions)


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """Which due jobs of a source are wanted."""

    limit: int
    """How many at most."""
    next_due: datetime
    """When they are due again, unless the poll decides otherwise."""
    ahead: timedelta = timedelta()
    """When any job is due, those that fall due within this time are taken along."""
    urgency: Callable[[Job], float] | None = None
    """The most urgent first. None: the longest due first."""
    is_rest: bool = False
    """Whether jobs were found due already: then those within `ahead` are taken whether or not any is due now."""


@dataclass(frozen=True, slots=True)
class LongestWaits:
    """The longest times for which something may wait."""

    job: timedelta
    """For its next poll."""
    delivery: timedelta
    """For its next attempt."""
    claim: timedelta
    """For its claim to expire."""


class JobStore(Protocol):
    """The store of jobs, as `observe` needs it. Every method may raise StoreError."""

    async def claim_due(self, requests: Mapping[str, ClaimRequest], now: datetime) -> Sequence[Job]:
        """Claim due jobs of each source.

        The same statement moves their `due_at` to `next_due`, so that no other watcher claims them meanwhile.
        """
        ...

    async def make_due(self, key: JobKey, now: datetime) -> bool:
        """Have a job polled now, unless it has ended; return whether it is watched."""
        ...

    async def durations(self, source: str) -> Mapping[str, Sequence[timedelta]]:
        """Return how long jobs of the source were in each status lately; only what was seen whole."""
        ...

    async def record(self, changes: Sequence[Change]) -> Collection[JobKey]:
        """Commit all changes in one transaction; return the jobs whose changes came too late and were dropped."""
        ...


class MetricStore(Protocol):
    """The store of metric points. Every method may raise StoreError."""

    async def events_cursor(self, key: JobKey) -> str | None:
        """Return the cursor that the events of the job were last read with."""
        ...

    async def record_points(
        self, key: JobKey, points: Sequence[MetricPoint], cursor: str | None, now: datetime
    ) -> None:
        """Commit points of a job and the cursor to go on with; a point that is there already is replaced."""
        ...

    async def last_points(self, key: JobKey, count: int = 1) -> Sequence[MetricPoint]:
        """Return the last `count` points of each series of a job, by series and step."""
        ...

    async def record_milestones(self, key: JobKey, milestones: Sequence[Milestone]) -> None:
        """Commit when a job entered states; what is there already stays."""
        ...


@dataclass(frozen=True, slots=True)
class RecordedLine:
    """The line of a rule of discovery, as the store holds it."""

    line: Line
    fingerprint: str
    """What the rule was then."""
    seq: int
    """The version of the line."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What a scan of a list changes for a rule of discovery."""

    rule: str
    source: str
    origin: str
    """What the jobs that it brings say of their origin."""
    limit: int
    """How many jobs of this origin may run, or have ended within the last day."""
    jobs: Sequence[JobSpec]
    line: RecordedLine
    """With the version that it is based on; the line is dropped where somebody else has drawn another one since."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of an adoption."""

    added: Sequence[JobKey]
    """The jobs that were not watched before. Those that were are noted to be wanted by the rule as well."""
    refused: int
    """How many jobs are beyond the limit of the rule."""


class DiscoveryStore(Protocol):
    """The store of what rules of discovery have decided. Every method may raise StoreError."""

    async def lines(self, source: str) -> Mapping[str, RecordedLine]:
        """Return the lines of the rules for a source, by the names of the rules."""
        ...

    async def adopt(self, adoption: Adoption, now: datetime) -> Adopted:
        """Watch jobs and draw the line, in one transaction. What a person has removed stays removed."""
        ...


class DeliveryStore(Protocol):
    """The store of deliveries, as `deliver` needs it. Every method may raise StoreError."""

    async def claim(self, capacity: Mapping[str, int], now: datetime, until: datetime) -> Sequence[Delivery]:
        """Claim up to `capacity[notifier]` due deliveries of each notifier until the time given.

        A delivery is due when its time has come, no watcher holds it, and no earlier one of the same job to the same
        notifier is pending.
        """
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """Commit what attempts came to, in one transaction.

        A settlement whose claim has expired and was taken over by another watcher is dropped.
        """
        ...
