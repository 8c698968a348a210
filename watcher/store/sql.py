"""The store in SQLite or PostgreSQL, as the pipeline and the commands use it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import Connection

from watcher.domain.conditions import ConditionChange, RecordedCondition
from watcher.domain.deliveries import Delivery, DeliveryState, Settlement
from watcher.domain.jobs import Job, JobKey, JobSpec
from watcher.domain.reminders import Reminder, Standing
from watcher.domain.silences import Silence
from watcher.domain.slices import slices
from watcher.domain.states import JobState
from watcher.domain.telemetry import MetricPoint, Milestone
from watcher.domain.transitions import Transition
from watcher.engine.ports import Adopted, Adoption, Change, ClaimRequest, Finding, LongestWaits, RecordedLine
from watcher.engine.runtime import NoTelemetry, Telemetry
from watcher.store import deliveries, discovery, jobs, living_services, metric_points, reminders, silences
from watcher.store.access import StoreAccess
from watcher.store.clock_steps import cap_waits
from watcher.store.conditions import (
    absorb_conditions_of_older_versions,
    note_good,
    record_findings,
    recorded_conditions,
)
from watcher.store.deliveries import Pending, Selection
from watcher.store.due import claim_due, find_due
from watcher.store.job_views import JobViews
from watcher.store.jobs import UpsertResult
from watcher.store.living_services import Named
from watcher.store.prune import Pruning
from watcher.store.receipts import receipts_of
from watcher.store.record_changes import record
from watcher.store.status_durations import durations
from watcher.store.timeouts import USUAL_WAITS, Waits

__all__ = ["Pending", "Selection", "SqlStore", "UpsertResult"]

JOBS_AT_ONCE = 2_000
"""Jobs that one transaction changes: some 50 ms of the store, which claims and deliveries wait for."""


class SqlStore:
    """The store: implements JobStore, DiscoveryStore and DeliveryStore. Enter it to open it.

    Every method may raise StoreError, after ten seconds or so at the latest. They run one after the other: see
    `StoreAccess`. A method that is cancelled may still do its work.
    """

    def __init__(self, url: str, telemetry: Telemetry | None = None, waits: Waits = USUAL_WAITS) -> None:
        """The meter hears of every transaction, on a thread of the store. Raises ConfigurationError for a wrong URL."""
        self._access = StoreAccess(url, telemetry or NoTelemetry(), waits)
        self._read, self._look_up, self._write = self._access.read, self._access.look_up, self._access.write
        self.views = JobViews(self._look_up)
        """What the page shows of jobs."""

    @property
    def name(self) -> str:
        """What to call it in messages: its path, or its address without what is secret."""
        return self._access.database.label

    async def __aenter__(self) -> Self:
        """Open it, and create or migrate it where that is needed.

        Raises StoreUnavailableError, or StoreUnusableError for a database that is not for this program.
        """
        try:
            await self._access.open()
            await self._write(absorb_conditions_of_older_versions)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close it, when what is under way has ended."""
        await self._access.close()

    async def claim_due(self, requests: Mapping[str, ClaimRequest], now: datetime) -> Sequence[Job]:
        """See `JobStore`. Writes nothing when nothing is due."""
        return await self._access.find_and_write(find_due, claim_due, requests, now) or ()

    async def make_due(self, key: JobKey, now: datetime) -> bool:
        """See `JobStore`."""
        return await self._write(jobs.make_due, key, now)

    async def durations(self, source: str) -> Mapping[str, Sequence[timedelta]]:
        """See `JobStore`."""
        return await self._look_up(durations, source)

    async def record(self, changes: Sequence[Change]) -> Collection[JobKey]:
        """See `JobStore`. A change without a transition that comes too late is dropped silently."""
        return await self._write(record, changes) if changes else ()

    async def claim(self, capacity: Mapping[str, int], now: datetime, until: datetime) -> Sequence[Delivery]:
        """See `DeliveryStore`. Writes nothing when nothing is due."""

        def claim(connection: Connection, due: Mapping[str, int]) -> Sequence[Delivery]:
            return deliveries.claim(connection, due, now, until)

        return await self._access.find_and_write(deliveries.find_due_deliveries, claim, capacity, now) or ()

    async def settle(self, settlements: Sequence[Settlement]) -> None:
        """See `DeliveryStore`."""
        if settlements:
            await self._write(deliveries.settle, settlements)

    async def cap_waits(self, now: datetime, longest: LongestWaits) -> int:
        """Undo waits that no rule of ours asks for: what a clock left behind that was ahead and was set back.

        Jobs and unclaimed deliveries that wait for longer than the longest waits become due now, as do deliveries
        that were never tried; claims that hold for longer are given up. Returns how many rows that were.
        """
        return await self._write(cap_waits, now, longest)

    async def upsert_jobs(
        self, specs: Sequence[JobSpec], now: datetime, *, ask_again: bool = False, origin: str | None = None
    ) -> UpsertResult:
        """Watch these jobs for an origin, from now on if they are new; names and labels become those given.

        A job that had been removed goes on where it stood. With `ask_again` a job that has ended becomes due once.
        A job that has ended is pruned unless it is upserted again now and then: see `prune`. Many are upserted in small
        transactions, between which others get their turn.
        """
        results = [
            await self._write(jobs.upsert_jobs, part, now, ask_again=ask_again, origin=origin)
            for part in slices(specs, JOBS_AT_ONCE)
        ]
        return UpsertResult(
            sum(result.added for result in results),
            sum(result.updated for result in results),
            sum(result.revived for result in results),
        )

    async def remove_job(self, key: JobKey, now: datetime) -> bool:
        """Stop watching the job; return whether it was watched. Its history and its pending deliveries stay."""
        return await self._write(jobs.remove_job, key, now)

    async def drop_origin(self, keys: Collection[JobKey], origin: str, now: datetime) -> int:
        """Note that an origin does not want these jobs any more; return how many are watched no more for it.

        In small transactions, as `upsert_jobs`.
        """
        return sum(
            [await self._write(jobs.drop_origin, part, origin, now) for part in slices(list(keys), JOBS_AT_ONCE)]
        )

    async def lines(self, source: str) -> Mapping[str, RecordedLine]:
        """See `DiscoveryStore`."""
        return await self._read(discovery.recorded_lines, source)

    async def adopt(self, adoption: Adoption, now: datetime) -> Adopted:
        """See `DiscoveryStore`."""
        return await self._write(discovery.adopt, adoption, now)

    async def end_rules(self, kept: Collection[str], sources: Collection[str], now: datetime) -> Mapping[str, int]:
        """End the other rules for these sources; return how many jobs each was the last to want, and were let go."""
        return await self._write(discovery.end_rules, kept, sources, now)

    async def jobs(self, *, include_removed: bool = False) -> list[Job]:
        """Return the watched jobs by source and id, on request also those that are no longer watched."""
        return await self._look_up(jobs.list_jobs, include_removed=include_removed)

    async def page_of_jobs(
        self, *, after: JobKey | None = None, limit: int = 100, source: str | None = None, status: str | None = None
    ) -> list[Job]:
        """Return up to `limit` watched jobs by source and id that come after a key: of a source, in a status.

        The status is as the commands show it: that of a job not seen yet is UNSEEN.
        """
        return await self._look_up(jobs.page_of_jobs, after, limit, source, status)

    async def watched_keys(self, origin: str | None = None) -> set[JobKey]:
        """Return which jobs are watched, on request those that this origin wants."""
        return await self._look_up(jobs.watched_keys, origin)

    async def origins(self, keys: Collection[JobKey]) -> Mapping[JobKey, Sequence[str]]:
        """Return who wants each of these jobs, as `config`, `command`, `api` or `rule:NAME`, where that was noted."""
        return await self._look_up(jobs.origins_of, keys)

    async def job_counts(self) -> dict[tuple[str, JobState | None], int]:
        """Count the watched jobs by source and state, which is None for those that were not seen yet."""
        return await self._look_up(jobs.count_jobs)

    async def job(self, key: JobKey, *, include_removed: bool = True) -> Job | None:
        """Return the job, by default also one that is no longer watched."""
        return await self._look_up(jobs.find_job, key, include_removed=include_removed)

    async def find_jobs(self, job_id: str) -> list[Job]:
        """Return the jobs of this id at any source, whether they are still watched or not."""
        return await self._look_up(jobs.find_jobs, job_id)

    async def lingering(self, limits: Mapping[str, timedelta], now: datetime) -> list[Job]:
        """Return the watched jobs that have been in a status for longer than its limit."""
        return await self._look_up(jobs.lingering, limits, now)

    async def conditions(self, subjects: Sequence[str]) -> Mapping[str, RecordedCondition]:
        """See `ConditionStore`."""
        return await self._read(recorded_conditions, subjects)

    async def record_findings(self, findings: Sequence[Finding], watcher: str) -> Sequence[ConditionChange]:
        """See `ConditionStore`."""
        return await self._write(record_findings, findings, watcher)

    async def standing(self, subjects: Collection[str]) -> Sequence[Standing]:
        """See `ConditionStore`."""
        return await self._read(reminders.standing, subjects)

    async def record_reminders(self, due: Sequence[Reminder]) -> Sequence[ConditionChange]:
        """See `ConditionStore`."""
        return await self._write(reminders.record_reminders, due)

    async def note_good(self, subjects: Sequence[str], watcher: str, now: datetime) -> None:
        """See `ConditionStore`."""
        await self._write(note_good, subjects, watcher, now)

    async def note_service(self, name: str, version: str, now: datetime) -> None:
        """Note that the service of this name is alive."""
        await self._write(living_services.note_service, name, version, now)

    async def note_settings(self, name: str, version: str, named: Named, now: datetime) -> None:
        """Note that the service of this name is alive, and what its settings name."""
        await self._write(living_services.note_settings, name, version, named, now)

    async def named_by_others(self, name: str, seen_since: datetime) -> Named | None:
        """Return what the settings of all other services that were alive since then name.

        None when one of them does not say: a program of before the revision 0007.
        """
        return await self._read(living_services.named_by_others, name, seen_since)

    async def forget_service(self, name: str) -> None:
        """Note that the service of this name has ended."""
        await self._write(living_services.forget_service, name)

    async def service_seen(self) -> datetime | None:
        """Return when any service was last alive on this store; None when none ever was, or the last has ended."""
        return await self._read(living_services.service_seen)

    async def receipts(self, thread: str) -> Mapping[str, str]:
        """Return the last receipt of each notifier that has sent something in a thread."""
        return await self._look_up(receipts_of, thread)

    async def latest_transitions(self, key: JobKey, limit: int = 100, before: int | None = None) -> list[Transition]:
        """Return up to `limit` recorded transitions of a job, the newest first: of those before this `seq`.

        With their true times, as far as the events of the job have told them.
        """
        return await self._look_up(jobs.latest_transitions, key, limit, before)

    async def count_transitions(self, key: JobKey) -> int:
        """Count the recorded transitions of a job."""
        return await self._look_up(jobs.count_transitions, key)

    async def events_cursor(self, key: JobKey) -> str | None:
        """See `MetricStore`."""
        return await self._read(metric_points.events_cursor, key)

    async def record_points(
        self, key: JobKey, points: Sequence[MetricPoint], cursor: str | None, now: datetime
    ) -> None:
        """See `MetricStore`."""
        await self._write(metric_points.record_points, key, points, cursor, now)

    async def record_milestones(self, key: JobKey, milestones: Sequence[Milestone]) -> None:
        """See `MetricStore`."""
        await self._write(metric_points.record_milestones, key, milestones)

    async def metric_points(self, key: JobKey) -> list[MetricPoint]:
        """Return the points of a job by series and step."""
        return await self._look_up(metric_points.points_of, key)

    async def last_points(self, key: JobKey, count: int = 1) -> list[MetricPoint]:
        """Return the last `count` points of each series of a job, by series and step."""
        return await self._look_up(metric_points.last_points, key, count)

    async def deliveries(
        self,
        *,
        states: Collection[DeliveryState] | None = None,
        notifier: str | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> list[Delivery]:
        """Return up to `limit` deliveries, the newest first: in these states, to this notifier, before this id."""
        return await self._look_up(deliveries.list_deliveries, states, notifier, limit, before)

    async def pending_deliveries(self) -> dict[str, Pending]:
        """Sum up what is owed to each notifier that is owed anything."""
        return await self._look_up(deliveries.pending)

    async def requeue(self, selection: Selection, now: datetime) -> int:
        """Make pending and dead deliveries due now, with another 72 hours before they are dead; return how many.

        One that is being sent right now stays claimed.
        """
        return await self._write(deliveries.requeue, selection, now)

    async def discard(self, selection: Selection, now: datetime) -> int:
        """Give up pending and dead deliveries for good; return how many."""
        return await self._write(deliveries.discard, selection, now)

    async def requeue_deliveries(self, ids: Collection[int], now: datetime) -> int:
        """Make these pending and dead deliveries due now: see `requeue`."""
        return await self.requeue(Selection(tuple(ids)), now) if ids else 0

    async def discard_deliveries(self, ids: Collection[int], now: datetime) -> int:
        """Give up these pending and dead deliveries for good; return how many."""
        return await self.discard(Selection(tuple(ids)), now) if ids else 0

    async def add_silence(self, wanted: Silence, now: datetime) -> Silence:
        """Mute what a silence says, until it ends: what is recorded from now on. Return it with its name."""
        return await self._write(silences.add_silence, wanted, now)

    async def silences(self, *, ending_after: datetime | None = None) -> list[Silence]:
        """Return silences, the newest first: those that end after a moment, else all."""
        return await self._look_up(silences.list_silences, ending_after)

    async def expire_silence(self, number: int, now: datetime) -> bool:
        """End a silence now; return whether it was in force. What it has muted stays muted."""
        return await self._write(silences.expire_silence, number, now)

    async def prune(self, before: datetime, metrics_before: datetime | None = None) -> int:
        """Delete what is over since before then; return how many rows that was. What is pending always stays.

        The metric points of a job that is over go when they were last read before `metrics_before`, or `before`.
        A job that ended before then goes with its history, if `upsert_jobs` was not called for it since. Configured
        jobs must be upserted now and then: otherwise one that ended long ago counts as new, and is sent once more.
        Works in small transactions, between which others get their turn.
        """
        await self._write(absorb_conditions_of_older_versions)
        total, pruning = 0, Pruning(before, metrics_before)
        while not pruning.is_done:
            total += await self._write(pruning.prune)
        return total
