"""What the service does besides polling and delivering: supervise, prune, and say how it stands."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from watcher.domain.conditions import observation_of, store_condition
from watcher.domain.deliveries import PATIENT
from watcher.domain.jobs import Job
from watcher.domain.overview import status_line
from watcher.domain.transitions import detect
from watcher.engine.delivery.dispatcher import CLAIM
from watcher.engine.ports import Edges, Waits
from watcher.errors import StoreError
from watcher.server.context import Standing
from watcher.service.bootstrap import Pipeline
from watcher.service.systemd import ServiceManager

if TYPE_CHECKING:
    from watcher.store.sql import SqlStore


RECORD_GRACE = timedelta(seconds=30)
"""How long the record may be out of reach before that is told: another program may lock it for a while."""


class Upkeep:
    """The chores of one generation of the pipeline. The daemon's scheduler calls each in its own rhythm."""

    def __init__(self, pipeline: Pipeline, store: SqlStore, manager: ServiceManager, edges: Edges) -> None:
        self._pipeline = pipeline
        self._store = store
        self._manager = manager
        self._edges = edges
        self._since = edges.clock()
        self._emergency: asyncio.Task[None] | None = None
        self._record_failing_since: datetime | None = None
        self._is_record_told = False
        self._recoveries = 0
        self._is_beat_missed = False

    async def supervise(self) -> None:
        """Tell of what the watcher cannot see, and of whom it cannot reach."""
        error, now = self.record_error(), self._edges.clock()
        recoveries = self._pipeline.observe.recoveries
        if error is None or recoveries != self._recoveries:  # each outage has its own grace
            self._recoveries, self._record_failing_since, self._is_record_told = recoveries, None, False
        if error is None:
            await self._pipeline.supervise.look(self._pipeline.observe.health(), self._pipeline.deliver.health())
            return
        self._record_failing_since = min(self._record_failing_since or now, now)
        if not self._is_record_told and now - self._record_failing_since >= RECORD_GRACE:
            self._is_record_told = True
            self._emergency = asyncio.create_task(self._tell_without_record(error))

    async def prune(self) -> None:
        """Forget what is over."""
        self._pipeline.observe.forget_stale()
        with suppress(StoreError):  # the next time will do
            await self._store.prune(self._edges.clock() - self._pipeline.retention)

    async def settle_in(self, longest: timedelta | None = None) -> None:
        """Let what a clock that was ahead, and was set back, makes wait for too long wait no more.

        What waits for longer than `longest` becomes due; None: for longer than any rule asks for.
        """
        policy = self._pipeline.observe.longest_wait, PATIENT.longest_retry_after
        job, delivery = policy if longest is None else (longest, longest)
        with suppress(StoreError):  # nothing is lost by waiting
            await self._store.bring_forward(self._edges.clock(), Waits(job, delivery, CLAIM))

    async def reassert(self) -> None:
        """Have the record keep what the configuration names, also when it has ended long ago: see `prune`."""
        with suppress(StoreError):  # the next time will do
            watched = {job.key for job in await self._store.jobs()}
            specs = [spec for spec in self._pipeline.configured if spec.key in watched]
            await self._store.upsert_jobs(specs, self._edges.clock())

    async def remember(self) -> None:
        """Look up what earlier jobs say of how long a status lasts."""
        await self._pipeline.observe.remember_durations()

    async def sign_of_life(self) -> None:
        """Let the service manager know that we make progress; it restarts us when we do not."""
        if not self.stalled():
            self._manager.alive()

    async def report(self) -> None:
        """Tell the service manager how things stand."""
        self._manager.status(await self.status())

    async def beat(self) -> None:
        """Keep the dead man's switch from going off, or set it off."""
        if self._pipeline.heartbeat is None:
            return
        error = await self._pipeline.heartbeat.beat(is_well=self.is_well())
        if error and not self._is_beat_missed:
            self._edges.log.warning("heartbeat did not arrive", error=error)
        self._is_beat_missed = error is not None

    async def status(self) -> str:
        """Say in one line how things stand."""
        try:
            pending = await self._store.pending_deliveries()
        except StoreError as error:
            return f"the record cannot be read: {error}"
        observe, owed = self._pipeline.observe, sum(each.count for each in pending.values())
        return status_line(observe.watched, owed, observe.last_answers(), self._edges.clock())

    def standing(self) -> Standing:
        """Say how the pipeline stands, for the pages."""
        observe = self._pipeline.observe
        return Standing(
            since=self._since,
            longest_wait=self._pipeline.rhythm.longest,
            stalled=self.stalled(),
            watched=observe.watched,
            last_answers=observe.last_answers(),
            rejections={health.name: health.rejection for health in observe.health() if health.rejection},
            notifiers=[health.name for health in self._pipeline.deliver.health()],
        )

    def stalled(self) -> list[str]:
        """Name the loops that make no progress."""
        loops = {"observe": self._pipeline.observe.pulse, "deliver": self._pipeline.deliver.pulse}
        return [name for name, pulse in loops.items() if not pulse.is_steady()]

    def record_error(self) -> StoreError | None:
        """Say why the record cannot be read or written; None while it can."""
        return self._pipeline.observe.record_error() or self._pipeline.deliver.record_error()

    def is_well(self) -> bool:
        """Tell whether the watcher sees, records and can speak."""
        trouble = self.stalled() or self.record_error()
        return not trouble and not self._pipeline.supervise.is_anything_wrong()

    async def close(self) -> None:
        """Give up what is still under way."""
        if self._emergency:
            self._emergency.cancel()
            await asyncio.gather(self._emergency, return_exceptions=True)

    async def _tell_without_record(self, error: StoreError) -> None:
        """Send straight to the notifiers what the record cannot hold."""
        condition = store_condition(self._store.name, str(error))
        transition = detect(Job(condition.subject), observation_of(condition, self._edges.clock()))
        async with self._pipeline.emergency as announce:
            if transition:
                announce.tell(transition)
