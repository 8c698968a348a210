"""How far running jobs have come, shown in messages that were sent: now and then, best effort, and never owed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol, Self

from watcher.domain.jobs import Job, JobKey, Progress
from watcher.domain.messages import Message, message_of
from watcher.domain.progress_message import with_progress
from watcher.domain.states import is_terminal
from watcher.domain.telemetry import MetricPoint, most_telling
from watcher.domain.transitions import Transition
from watcher.engine.ports import Notifier
from watcher.engine.runtime import Runtime
from watcher.errors import StoreError
from watcher.plugins.notifier import ShowsProgress

EVERY = timedelta(minutes=1)
"""How often the progress of a job is shown at most."""
MOST_JOBS = 30
"""Jobs whose progress is shown; Slack takes some fifty edits a minute, and news need their share."""
SILENT_AFTER = 5 * EVERY
"""A job of which nothing was told for so long makes room for another one."""
STALE_AFTER = timedelta(seconds=30)
"""What could not be shown for so long is dropped."""
SHOW_LIMIT = timedelta(seconds=10)
"""How long one notifier may take."""


class SentMessages(Protocol):
    """What the store knows of what was sent. Every method may raise StoreError."""

    async def receipts(self, thread: str) -> Mapping[str, str]:
        """Return the last receipt of each notifier that has sent something in a thread."""
        ...

    async def latest_transitions(self, key: JobKey, limit: int = 100) -> Sequence[Transition]:
        """Return up to `limit` transitions of a job, the newest first."""
        ...

    async def last_points(self, key: JobKey) -> Sequence[MetricPoint]:
        """Return the last point of each series of a job."""
        ...


class LiveProgress:
    """Edits what was sent of running jobs, while it is entered: see `ProgressAudience`."""

    def __init__(
        self, store: SentMessages, notifiers: Mapping[str, Notifier], runtime: Runtime, *, most_jobs: int = MOST_JOBS
    ) -> None:
        self._store = store
        self._notifiers = {name: each for name, each in notifiers.items() if isinstance(each, ShowsProgress)}
        self._runtime = runtime
        self._most_jobs = most_jobs
        self._shown: dict[JobKey, float] = {}
        """When the progress of a job was last to be shown, in steady seconds."""
        self._asked: dict[JobKey, float] = {}
        """When a job was last asked for its progress."""
        self._waiting: dict[JobKey, tuple[Job, Progress]] = {}
        self._wake = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Start showing."""
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop, and drop what waits."""
        self._running.cancel()
        await asyncio.wait([self._running])

    def wants(self, key: JobKey) -> bool:
        """Tell whether the progress of a job is worth a request: it would be shown, and was not asked for just now."""
        return self._is_over(self._asked.get(key)) and self._is_shown(key)

    def note_asked(self, key: JobKey) -> None:
        """Note that the progress of a job was asked for."""
        self._asked[key] = self._runtime.steady()

    def show(self, job: Job, progress: Progress) -> None:
        """Have the progress of a job shown soon, if it is time to."""
        if self._is_shown(job.key):
            self._shown[job.key] = self._runtime.steady()
            self._waiting[job.key] = job, progress
            self._wake.set()

    def forget(self, key: JobKey) -> None:
        """Drop what waits to be shown of a job: there is news of it."""
        for kept in (self._shown, self._asked, self._waiting):
            kept.pop(key, None)

    def _is_shown(self, key: JobKey) -> bool:
        """Tell whether the progress of a job would be shown now."""
        if not self._notifiers:
            return False
        if key in self._shown:
            return self._is_over(self._shown[key])
        if len(self._shown) >= self._most_jobs:  # others may have been removed, or be polled elsewhere now
            now = self._runtime.steady()
            self._shown, self._asked = (
                {each: at for each, at in kept.items() if now - at < SILENT_AFTER.total_seconds()}
                for kept in (self._shown, self._asked)
            )
        return len(self._shown) < self._most_jobs

    def _is_over(self, moment: float | None) -> bool:
        """Tell whether a moment was long enough ago for something to be done once more."""
        return moment is None or self._runtime.steady() - moment >= EVERY.total_seconds()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                job, progress = self._waiting.pop(next(iter(self._waiting)))
                if self._runtime.steady() - self._shown.get(job.key, 0.0) < STALE_AFTER.total_seconds():
                    await self._show(job, progress)

    async def _show(self, job: Job, progress: Progress) -> None:
        try:
            receipts = await self._store.receipts(str(job.key))
            wanted = {name: receipts[name] for name in self._notifiers if name in receipts}
            now = await self._newest(job.key) if wanted else None
            if now is None or is_terminal(now.state):
                return
            points = most_telling(await self._store.last_points(job.key))
            await self._edit(wanted, with_progress(message_of(now), job, progress, points, self._runtime.clock()))
            newest = await self._newest(job.key)
            if newest and newest.seq != now.seq:  # another watcher may have told it already, and this has undone that
                await self._edit(wanted, message_of(newest))
        except StoreError as error:
            self._runtime.log.debug("progress is not shown", job=str(job.key), error=str(error))

    async def _newest(self, key: JobKey) -> Transition | None:
        return next(iter(await self._store.latest_transitions(key, 1)), None)

    async def _edit(self, receipts: Mapping[str, str], message: Message) -> None:
        for name, receipt in receipts.items():
            try:
                async with asyncio.timeout(SHOW_LIMIT.total_seconds()):
                    await self._notifiers[name].show(message, receipt)
            except TimeoutError:
                self._runtime.log.debug("progress is not shown in time", notifier=name)
            except Exception as error:
                self._runtime.log.exception("notifier broke", notifier=name, error=type(error).__name__)
