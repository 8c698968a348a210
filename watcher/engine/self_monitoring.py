"""The watcher watches itself: what it cannot see, and to whom it cannot speak, is told like any transition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, cast

from watcher.domain.conditions import (
    Condition,
    Health,
    is_news,
    missing_condition,
    notifier_condition,
    observation_of,
    source_conditions,
    stuck_condition,
)
from watcher.domain.jobs import Job, JobKey, JobSpec
from watcher.domain.routing import Route, recipients
from watcher.domain.transitions import Transition, detect, moved
from watcher.engine.ports import Change, JobStore, Runtime
from watcher.errors import StoreError


class ConditionStore(JobStore, Protocol):
    """The record, as `supervise` needs it. Every method may raise StoreError."""

    async def job(self, key: JobKey) -> Job | None:
        """Return what is recorded of a job or a condition."""
        ...

    async def upsert_jobs(self, specs: Sequence[JobSpec], now: datetime) -> object:
        """Make sure that these are in the record."""
        ...

    async def remove_job(self, key: JobKey, now: datetime) -> bool:
        """Let it be pruned when its time has come."""
        ...

    async def lingering(self, limits: Mapping[str, timedelta], now: datetime) -> Sequence[Job]:
        """Return the watched jobs that have been in a status for longer than its limit."""
        ...


class SelfMonitoring:
    """Looks at how sources, notifiers and jobs stand, and records each change once."""

    def __init__(
        self,
        record: ConditionStore,
        runtime: Runtime,
        *,
        routes: Sequence[Route],
        stuck_after: Mapping[str, timedelta],
        wake_delivery: Callable[[], None],
    ) -> None:
        self._store = record
        self._runtime = runtime
        self._routes = routes
        self._stuck_after = stuck_after
        self._wake_delivery = wake_delivery
        self._states: dict[JobKey, str] = {}
        """What is known to be recorded, so that what stays as it is costs no look at the record."""
        self._missing: list[Job] = []
        self._wrong: frozenset[JobKey] = frozenset()

    def note_missing(self, job: Job) -> None:
        """Have it told that a job is unknown to its source."""
        self._missing.append(job)

    def is_anything_wrong(self) -> bool:
        """Tell whether a source or a notifier was found to fail at the last look."""
        return bool(self._wrong)

    async def look(self, sources: Iterable[Health], notifiers: Iterable[Health]) -> None:
        """Record what is news. While the record is out of reach nothing is lost: the next look finds the same."""
        now = self._runtime.clock()
        found = [condition for health in sources for condition in source_conditions(health, now)]
        found += filter(None, (notifier_condition(health, now) for health in notifiers))
        self._wrong = frozenset(condition.subject for condition in found if not condition.is_good)
        try:
            for condition in found:
                await self._tell(condition)
            while self._missing:
                await self._tell(missing_condition(self._missing[0], now), is_passing=True)
                self._missing.pop(0)
            for job in await self._store.lingering(self._stuck_after, now):
                await self._tell(stuck_condition(job, now, self._stuck_after), is_passing=True)
        except StoreError as error:
            self._runtime.log.debug("conditions not recorded, looking again", error=str(error))

    async def _tell(self, condition: Condition | None, *, is_passing: bool = False) -> None:
        """Record a condition, if it is news, with the deliveries that it owes; a passing one may be pruned later."""
        if condition is None or self._states.get(condition.subject) == condition.state:
            return
        recorded = await self._store.job(condition.subject)
        if is_news(condition, recorded):
            if not await self._is_committed(condition, recorded):
                return  # another watcher on the same record was first: the next look sees what it said
            if is_passing:
                await self._store.remove_job(condition.subject, self._runtime.clock())
        self._states[condition.subject] = condition.state

    async def _is_committed(self, condition: Condition, recorded: Job | None) -> bool:
        now = self._runtime.clock()
        await self._store.upsert_jobs([JobSpec(condition.subject, labels=condition.labels)], now)
        before = recorded or Job(condition.subject, labels=condition.labels)
        # It is news, so there is a transition.
        transition = cast(Transition, detect(before, observation_of(condition, now)))
        receivers = recipients(self._routes, transition)
        if await self._store.record([Change(before.seq, moved(before, transition), transition, receivers)]):
            return False
        log = self._runtime.log.info if condition.is_good else self._runtime.log.warning
        log(condition.title, type=condition.type, recipients=list(receivers), **dict(condition.data))
        if receivers:
            self._wake_delivery()
        return True
