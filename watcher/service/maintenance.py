"""What the service does besides polling and delivering: monitor itself, prune, and report how it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from watcher import __version__
from watcher.domain.conditions import ConditionChange, store_condition
from watcher.domain.deliveries import SERVICE_RETRY_POLICY
from watcher.domain.jobs import CONFIG
from watcher.domain.overview import status_line
from watcher.domain.transitions import next_seq
from watcher.engine.delivery.dispatcher import CLAIM
from watcher.engine.ports import LongestWaits
from watcher.engine.runtime import Runtime
from watcher.errors import StoreError
from watcher.service.bootstrap import Pipeline
from watcher.service.garbage import look_at_all
from watcher.service.health import Health
from watcher.service.periodic_task import PeriodicTask
from watcher.service.systemd import ServiceManager
from watcher.service.watched_jobs import OTHERS_COUNT_FOR, WatchedJobs
from watcher.store.living_services import KEPT, SIGN_OF_LIFE_HOLDS, Named

if TYPE_CHECKING:
    from watcher.store.sql import SqlStore


MONITOR_INTERVAL = timedelta(seconds=10)
STATUS_INTERVAL = timedelta(seconds=10)
HEARTBEAT_INTERVAL = timedelta(minutes=1)
PRUNE_INTERVAL = timedelta(hours=1)
REFRESH_DURATIONS_INTERVAL = timedelta(minutes=10)
REFRESH_CONFIGURED_INTERVAL = timedelta(hours=12)
LET_GO_INTERVAL = timedelta(minutes=5)
LOOK_AT_ALL_INTERVAL = timedelta(hours=4)
STORE_GRACE = timedelta(seconds=30)
"""How long the store may be out of reach before that is reported: another program may lock it for a while."""


class Maintenance:
    """The maintenance of one generation of the pipeline. The daemon's scheduler calls each task at its interval."""

    def __init__(
        self,
        pipeline: Pipeline,
        store: SqlStore,
        manager: ServiceManager,
        runtime: Runtime,
        reload: Callable[[], None] = lambda: None,
    ) -> None:
        """`reload` asks for a reload of the configuration."""
        self.pipeline = pipeline
        self._store = store
        self._manager = manager
        self._runtime = runtime
        self._reload = reload
        self.health = Health(pipeline, runtime.clock)
        self._emergency: asyncio.Task[None] | None = None
        self._store_failing_since: datetime | None = None
        self._is_store_failure_told = False
        self._recoveries = 0
        self._is_beat_missed = False
        self._signs_from: datetime | None = None
        """Since when this service has left signs of life without a break."""
        self._signed_at = runtime.clock()
        """When it left the last one."""

    def tasks(self) -> list[PeriodicTask]:
        """List what is to be done, and how often."""
        return [
            PeriodicTask(self.monitor, MONITOR_INTERVAL),
            PeriodicTask(self.report, STATUS_INTERVAL),
            PeriodicTask(self.sign_of_life, self._manager.watchdog_interval or STATUS_INTERVAL),
            PeriodicTask(self.beat, HEARTBEAT_INTERVAL),
            PeriodicTask(self.prune, PRUNE_INTERVAL),
            PeriodicTask(self.refresh_durations, REFRESH_DURATIONS_INTERVAL),
            PeriodicTask(self.refresh_configured_jobs, REFRESH_CONFIGURED_INTERVAL, is_done=True),
            PeriodicTask(self.let_go, LET_GO_INTERVAL),
            PeriodicTask(self.collect_garbage, LOOK_AT_ALL_INTERVAL),
        ]

    async def clock_stepped(self, step: timedelta) -> None:
        """Keep what was measured by the host's clock right, and what is due at a time of day, after it was set."""
        self.pipeline.poller.sources.clock_stepped(step)
        self.pipeline.deliver.clock_stepped(step)
        self.pipeline.self_monitoring.clock_stepped(step)
        await self.undo_clock_step(timedelta())

    async def monitor(self) -> None:
        """Record changed conditions; report a failing store without it."""
        health, now = self.health.snapshot(), self._runtime.clock()
        error = health.store_error or health.stuck
        recoveries = self.pipeline.poller.store_recoveries
        if error is None or recoveries != self._recoveries:  # each outage has its own grace
            self._recoveries, self._store_failing_since, self._is_store_failure_told = recoveries, None, False
        if health.store_error is None:
            sources, notifiers = self.pipeline.poller.sources.health(), self.pipeline.deliver.health()
            await self.pipeline.self_monitoring.look(sources, notifiers)
        if error is None:
            return
        self._store_failing_since = min(self._store_failing_since or now, now)
        if not self._is_store_failure_told and now - self._store_failing_since >= STORE_GRACE:
            self._is_store_failure_told = True
            self._emergency = asyncio.create_task(self._deliver_without_store(error))

    async def prune(self) -> None:
        """Forget what is over."""
        self.pipeline.poller.forget_stale()
        with suppress(StoreError):  # the next time will do
            now = self._runtime.clock()
            await self._store.prune(now - self.pipeline.retention, now - self.pipeline.metrics_retention)

    async def undo_clock_step(self, longest: timedelta | None = None) -> None:
        """Undo waits that are too long because the clock was set back.

        What waits for longer than `longest` becomes due; None: for longer than any rule asks for.
        """
        policy = self.pipeline.poller.sources.longest_wait, SERVICE_RETRY_POLICY.longest_retry_after
        job, delivery = policy if longest is None else (longest, longest)
        with suppress(StoreError):  # nothing is lost by waiting
            await self._store.cap_waits(self._runtime.clock(), LongestWaits(job, delivery, CLAIM))

    async def refresh_configured_jobs(self) -> None:
        """Have the store keep what the configuration names, also when it has ended long ago: see `prune`."""
        with suppress(StoreError):  # the next time will do
            watched = await self._store.watched_keys()
            specs = [spec for spec in self.pipeline.configured if spec.key in watched]
            await self._store.upsert_jobs(specs, self._runtime.clock(), origin=CONFIG)

    async def let_go(self) -> None:
        """Watch no more what only a service wanted that has died: at the start it still counted as alive."""
        pipeline, now = self.pipeline, self._runtime.clock()
        seen_since = now - OTHERS_COUNT_FOR
        # After a suspension or an outage of the store the signs of all are old, and those of the living come anew.
        if self._signs_from is None or self._signs_from > seen_since or now - self._signed_at > SIGN_OF_LIFE_HOLDS:
            return
        named = Named(pipeline.rules, frozenset(spec.key for spec in pipeline.configured))
        watched = WatchedJobs(self._store, self._runtime, pipeline.service)
        with suppress(StoreError):  # the next time will do
            await watched.let_go(named, pipeline.sources, others_seen_since=seen_since)

    async def collect_garbage(self) -> None:
        """Have what was kept for long looked at once, in case it is garbage by now."""
        look_at_all()

    async def refresh_durations(self) -> None:
        """Look up what earlier jobs say of how long a status lasts."""
        await self.pipeline.poller.sources.refresh_durations(self._store, self._runtime.log)

    async def sign_of_life(self) -> None:
        """Let the service manager know that we make progress; it restarts us when we do not."""
        if not self.health.snapshot().stalled:
            self._manager.alive()

    async def report(self) -> None:
        """Tell the service manager how things stand, and the store that this service is alive."""
        self._manager.status(await self.status())
        with suppress(StoreError):  # the next time will do
            await self._leave_sign(self._runtime.clock())

    async def _leave_sign(self, now: datetime) -> None:
        service, store = self.pipeline.service, self._store
        away = now - self._signed_at if self._signs_from else timedelta()
        await store.note_service(service, __version__, now)
        if self._signs_from is None or abs(away) > SIGN_OF_LIFE_HOLDS:
            self._signs_from = now
        self._signed_at = now
        if away > OTHERS_COUNT_FOR and await store.named_by_others(service, now - KEPT) != Named():
            self._runtime.log.warning(
                "this service was away, and others may have let go of what it watches: its configuration is read again",
                away_seconds=round(away.total_seconds()),
            )
            self._reload()

    async def beat(self) -> None:
        """Keep the dead man's switch from going off, or set it off."""
        if self.pipeline.heartbeat is None:
            return
        error = await self.pipeline.heartbeat.beat(is_well=self.health.snapshot().is_well)
        if error and not self._is_beat_missed:
            self._runtime.log.warning("heartbeat did not arrive", error=error)
        self._is_beat_missed = error is not None

    async def status(self) -> str:
        """Say in one line how things stand."""
        try:
            pending = await self._store.pending_deliveries()
        except StoreError as error:
            return f"the store cannot be read: {error}"
        health, owed = self.health.snapshot(), sum(each.count for each in pending.values())
        return status_line(health.watched, owed, health.last_answers, self._runtime.clock())

    async def close(self) -> None:
        """Give up what is still under way."""
        if self._emergency:
            self._emergency.cancel()
            await asyncio.gather(self._emergency, return_exceptions=True)

    async def _deliver_without_store(self, error: str) -> None:
        """Send straight to the notifiers what the store cannot hold."""
        now = self._runtime.clock()
        event = ConditionChange(store_condition(self._store.name, error), next_seq(0, now), now)
        async with self.pipeline.emergency as direct:
            direct.tell(event)
