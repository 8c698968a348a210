"""What the server reads and changes: the store, and how the running pipeline stands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from watcher.domain.conditions import STUCK_AFTER
from watcher.domain.deliveries import Delivery, DeliveryState, Outcome
from watcher.domain.health import HealthSnapshot
from watcher.domain.job_filter import Concerns, JobFilter, Limits, Overview
from watcher.domain.jobs import Job, JobKey, JobSpec
from watcher.domain.polling_policy import PollingPolicy
from watcher.domain.silences import Silence
from watcher.domain.states import JobState
from watcher.domain.telemetry import MetricPoint
from watcher.domain.transitions import Transition
from watcher.engine.runtime import Clock, Log
from watcher.plugins.source import ReadWebhook, Webhook


class Upserted(Protocol):
    """What adding jobs to the store came to."""

    @property
    def added(self) -> int:
        """How many jobs the store had not held."""
        ...


class Owed(Protocol):
    """What is owed to one notifier."""

    @property
    def count(self) -> int:
        """How many deliveries."""
        ...

    @property
    def oldest(self) -> datetime:
        """Since when the oldest could have gone out; in the future when all are held back."""
        ...


class Views(Protocol):
    """Watched jobs as the page shows them. Every method may raise StoreError."""

    async def overview(self, concerns: Concerns, after: JobKey | None, limits: Limits) -> Overview:
        """Return what needs a person, what is under way, and what ended; after a job, only what is under way."""
        ...

    async def found(self, wanted: JobFilter, after: JobKey | None, limits: Limits) -> Overview:
        """Return a page of the jobs that pass the filter, by key, after one."""
        ...

    async def newest_transitions(self, limit: int) -> Sequence[Transition]:
        """Return the newest transitions of watched jobs, the newest first."""
        ...

    async def deliveries_of(self, key: JobKey, limit: int) -> Sequence[Delivery]:
        """Return the newest deliveries of what happened to a job, and of its conditions, the newest first."""
        ...


class Store(Protocol):
    """The store, as the server needs it. Every method may raise StoreError."""

    @property
    def views(self) -> Views:
        """Watched jobs as the page shows them."""
        ...

    async def page_of_jobs(
        self, *, after: JobKey | None = None, limit: int = 100, source: str | None = None, status: str | None = None
    ) -> Sequence[Job]:
        """Return up to `limit` watched jobs by source and id that come after a key: of a source, in a status."""
        ...

    async def job_counts(self) -> Mapping[tuple[str, JobState | None], int]:
        """Count the watched jobs by source and state, which is None for those that were not seen yet."""
        ...

    async def job(self, key: JobKey, *, include_removed: bool = True) -> Job | None:
        """Return the job, by default also one that is no longer watched."""
        ...

    async def latest_transitions(
        self, key: JobKey, limit: int = 100, before: int | None = None
    ) -> Sequence[Transition]:
        """Return up to `limit` recorded transitions of a job, the newest first: of those before this `seq`."""
        ...

    async def metric_points(self, key: JobKey) -> Sequence[MetricPoint]:
        """Return the metric points of a job, by series and step."""
        ...

    async def last_points(self, key: JobKey, count: int = 1) -> Sequence[MetricPoint]:
        """Return the last `count` points of each series of a job, by series and step."""
        ...

    async def deliveries(
        self,
        *,
        states: Collection[DeliveryState] | None = None,
        notifier: str | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> Sequence[Delivery]:
        """Return up to `limit` deliveries, the newest first: in these states, to this notifier, before this id."""
        ...

    async def pending_deliveries(self) -> Mapping[str, Owed]:
        """Sum up what is owed to each notifier that is owed anything."""
        ...

    async def upsert_jobs(
        self, specs: Sequence[JobSpec], now: datetime, *, ask_again: bool = False, origin: str | None = None
    ) -> Upserted:
        """Watch these jobs; with `ask_again`, also poll those once more that have ended."""
        ...

    async def requeue_deliveries(self, ids: Collection[int], now: datetime) -> int:
        """Make these pending and dead deliveries due now; return how many."""
        ...

    async def discard_deliveries(self, ids: Collection[int], now: datetime) -> int:
        """Give up these pending and dead deliveries for good; return how many."""
        ...

    async def add_silence(self, wanted: Silence, now: datetime) -> Silence:
        """Mute what a silence says from now on; return it with its name."""
        ...

    async def silences(self, *, ending_after: datetime | None = None) -> Sequence[Silence]:
        """Return silences, the newest first: those that end after a moment, else all."""
        ...

    async def expire_silence(self, number: int, now: datetime) -> bool:
        """End a silence now; return whether it was in force."""
        ...

    async def count_transitions(self, key: JobKey) -> int:
        """Count the recorded transitions of a job."""
        ...

    async def remove_job(self, key: JobKey, now: datetime) -> bool:
        """Stop watching the job; return whether it was watched."""
        ...


class WebhookInbox(Protocol):
    """Where webhooks go: see `WakeUps`."""

    def reader(self, source: str) -> ReadWebhook | None:
        """Return what checks and reads the webhooks of a source; None where there is none."""
        ...

    async def take(self, source: str, webhook: Webhook) -> None:
        """Have asked for what a webhook tells of. Raises StoreError."""
        ...


@dataclass(frozen=True, slots=True)
class ServerContext:
    """Everything the server can see and do, and how long it waits."""

    store: Store
    clock: Clock
    log: Log
    version: str
    health: Callable[[], HealthSnapshot]
    """Asked at each request: a reload exchanges the pipeline."""
    find_job: Callable[[str | None, str], JobSpec]
    """Finds the job that is meant by an id, with or without its source. Raises ConfigurationError."""
    polling_policy: Callable[[str], PollingPolicy | None] = lambda _source: None
    """Returns how a source is polled; None for one that is not in the configuration."""
    budget: Callable[[str], int | None] = lambda _source: None
    """Returns how many requests a minute may be sent to a source; None where there is no limit."""
    requests: Callable[[str], int | None] = lambda _source: None
    """Returns how many requests this process has sent to a source in the last minute; None for an unknown one."""
    stuck_after: Callable[[], Mapping[str, timedelta]] = lambda: STUCK_AFTER
    """Returns how long a job may stay in a status, by status."""
    send_test: Callable[[str], Awaitable[Outcome]] | None = None
    """Sends a message that is plainly a test to a notifier. None: there is no pipeline."""
    webhooks: Callable[[], WebhookInbox | None] = lambda: None
    """Returns where the webhooks of services go; None: there is no pipeline."""
    page_age: timedelta = timedelta(seconds=2)
    """How old a page may be that is shown again instead of being made anew."""
    store_patience: timedelta = timedelta(seconds=3)
    """How long the store may take to answer a probe; what asks for probes often waits no longer than some seconds."""
    body_timeout: timedelta = timedelta(seconds=10)
    """How long the body of a request may take to arrive."""
