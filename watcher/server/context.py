"""What the server reads and changes: the store, and how the running pipeline stands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from watcher.domain.deliveries import Delivery, DeliveryState
from watcher.domain.health import HealthSnapshot
from watcher.domain.jobs import Job, JobKey, JobSpec
from watcher.domain.transitions import Transition
from watcher.engine.ports import Clock, Log


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
        """When the oldest transition among it was observed."""
        ...


class Store(Protocol):
    """The store, as the server needs it. Every method may raise StoreError."""

    async def page_of_jobs(
        self, *, after: JobKey | None = None, limit: int = 100, source: str | None = None, status: str | None = None
    ) -> Sequence[Job]:
        """Return up to `limit` watched jobs by source and id that come after a key: of a source, in a status."""
        ...

    async def job_counts(self) -> Mapping[tuple[str, str | None], int]:
        """Count the watched jobs by source and status, which is None for those that were not seen yet."""
        ...

    async def job(self, key: JobKey, *, include_removed: bool = True) -> Job | None:
        """Return the job, by default also one that is no longer watched."""
        ...

    async def latest_transitions(
        self, key: JobKey, limit: int = 100, before: int | None = None
    ) -> Sequence[Transition]:
        """Return up to `limit` recorded transitions of a job, the newest first: of those before this `seq`."""
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

    async def remove_job(self, key: JobKey, now: datetime) -> bool:
        """Stop watching the job; return whether it was watched."""
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
    store_patience: timedelta = timedelta(seconds=3)
    """How long the store may take to answer a probe; what asks for probes often waits no longer than some seconds."""
    body_timeout: timedelta = timedelta(seconds=10)
    """How long the body of a request may take to arrive."""
