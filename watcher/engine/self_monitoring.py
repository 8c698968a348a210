"""Self-monitoring: sources, notifiers and jobs in trouble become conditions, and their changes events."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from watcher.domain.conditions import (
    NOTE_GOOD_INTERVAL,
    Condition,
    ConditionChange,
    Health,
    RecordedCondition,
    is_news,
    notifier_condition,
    source_conditions,
    stuck_condition,
)
from watcher.domain.jobs import Job
from watcher.domain.notifications import plan
from watcher.domain.reminders import Reminder, Standing, reminders, wants_reminders
from watcher.domain.routing import Route
from watcher.engine.ports import Finding
from watcher.engine.runtime import Runtime
from watcher.errors import StoreError


class ConditionStore(Protocol):
    """The store, as self-monitoring needs it. Every method may raise StoreError."""

    async def conditions(self, subjects: Sequence[str]) -> Mapping[str, RecordedCondition]:
        """Return how these conditions were recorded last; those that never were are left out."""
        ...

    async def record_findings(self, findings: Sequence[Finding], watcher: str) -> Sequence[ConditionChange]:
        """Record what is news, with the deliveries that it owes, in one transaction; return the events."""
        ...

    async def standing(self, subjects: Collection[str]) -> Sequence[Standing]:
        """Return the raised conditions of these subjects, and of watched jobs that are missing, or train badly."""
        ...

    async def record_reminders(self, due: Sequence[Reminder]) -> Sequence[ConditionChange]:
        """Record reminders, unless anything else of their conditions was recorded meanwhile; return the events."""
        ...

    async def note_good(self, subjects: Sequence[str], watcher: str, now: datetime) -> None:
        """Note that this watcher has found all well with these subjects."""
        ...

    async def lingering(self, limits: Mapping[str, timedelta], now: datetime) -> Sequence[Job]:
        """Return the watched jobs that have been in a status or state for longer than its limit."""
        ...


class SelfMonitoring:
    """Looks at how sources, notifiers and jobs stand, and records each change once."""

    def __init__(  # noqa: PLR0913 - what it watches, and its recipients
        self,
        store: ConditionStore,
        runtime: Runtime,
        *,
        routes: Sequence[Route],
        stuck_after: Mapping[str, timedelta],
        wake_delivery: Callable[[], None],
        watcher: str,
    ) -> None:
        """`watcher` names this process among replicas."""
        self._store = store
        self._runtime = runtime
        self._routes = routes
        self.stuck_after = stuck_after
        """How long a job may stay in a status."""
        self._wake_delivery = wake_delivery
        self._watcher = watcher
        self._failing: frozenset[str] = frozenset()
        self._noted_good: dict[str, float] = {}
        """When this process has noted last that a subject is well, in steady seconds."""
        self._steps: list[tuple[datetime, timedelta]] = []
        """When the host's clock was set, as it showed then, and how far."""

    def is_anything_failing(self) -> bool:
        """Return whether a source or a notifier was found to fail at the last look."""
        return bool(self._failing)

    def clock_stepped(self, step: timedelta) -> None:
        """Let no job seem to have been in its status for longer, or shorter, than it has."""
        self._steps.append((self._runtime.clock(), step))

    async def look(self, sources: Iterable[Health], notifiers: Iterable[Health]) -> None:
        """Record what is news. While the store is out of reach nothing is lost: the next look finds the same."""
        now = self._runtime.clock()
        found = [condition for health in sources for condition in source_conditions(health, now)]
        found += filter(None, (notifier_condition(health, now) for health in notifiers))
        self._failing = frozenset(condition.subject for condition in found if not condition.is_good)
        try:
            stuck = await self._stuck(now)
            found += [condition for condition, _ in stuck]
            await self._record(found, {condition.subject: job for condition, job in stuck}, now)
            await self._remind(found, now)
            await self._note_good(found, now)
        except StoreError as error:
            self._runtime.log.debug("conditions not recorded, looking again", error=str(error))

    async def _stuck(self, now: datetime) -> list[tuple[Condition, Job]]:
        jobs = await self._store.lingering(self.stuck_after, now)
        found = ((stuck_condition(job, self._unstepped(now, job.status_since), self.stuck_after), job) for job in jobs)
        return [(condition, job) for condition, job in found if condition]

    def _unstepped(self, now: datetime, since: datetime | None) -> datetime:
        """Return what time it would be had the clock not been set since then."""
        return now - sum((step for at, step in self._steps if since and since < at), timedelta())

    async def _record(self, found: Sequence[Condition], jobs: Mapping[str, Job], now: datetime) -> None:
        """Record what is news; `jobs` are those that are stuck, by the subjects of their conditions."""
        recorded = await self._store.conditions([condition.subject for condition in found])
        news = [each for each in found if is_news(each, recorded.get(each.subject), self._watcher, now)]
        if not news:
            return
        findings = [
            Finding(each, now, plan(ConditionChange(each, 0, now), self._routes, now), jobs.get(each.subject))
            for each in news
        ]
        for event in await self._store.record_findings(findings, self._watcher):
            self._log(event)
        if any(finding.recipients for finding in findings):
            self._wake_delivery()

    async def _remind(self, found: Sequence[Condition], now: datetime) -> None:
        """Tell again what lasts, where that is wanted: what this look has found, and what the store says of jobs."""
        if not wants_reminders(self._routes):
            return
        bad = {each.subject: each for each in found if not each.is_good}
        standing = await self._store.standing(bad.keys())
        found_now = [(each, bad.get(each.condition.subject)) for each in standing]
        due = [reminders(*each, self._routes, now, lambda at: self._unstepped(now, at) - at) for each in found_now]
        if events := await self._store.record_reminders([each for of_one in due for each in of_one]):
            self._wake_delivery()
        for event in events:
            self._log(event)

    async def _note_good(self, found: Sequence[Condition], now: datetime) -> None:
        """Let replicas know what this process has found well, now and then."""
        steady, interval = self._runtime.steady(), NOTE_GOOD_INTERVAL.total_seconds()
        due = [
            each.subject
            for each in found
            if each.is_good and steady - self._noted_good.get(each.subject, float("-inf")) >= interval
        ]
        if due:
            await self._store.note_good(due, self._watcher, now)
            self._noted_good |= dict.fromkeys(due, steady)

    def _log(self, event: ConditionChange) -> None:
        condition = event.condition
        log = self._runtime.log.info if condition.is_good else self._runtime.log.warning
        log(event.title, type=condition.type, event_id=event.id, **dict(condition.data))
