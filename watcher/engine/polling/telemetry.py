"""What is new of a running job: asked for page by page since the last cursor, recorded in a commit of its own."""

from __future__ import annotations

from watcher.domain.jobs import Job, Observation, Progress
from watcher.domain.polling_policy import PollFailure
from watcher.domain.states import is_terminal
from watcher.domain.telemetry import MetricPoint, Milestone
from watcher.engine.polling.source_calls import read_events
from watcher.engine.ports import JobSource, MetricStore, Runtime
from watcher.errors import StoreError

MOST_PAGES = 10
"""Pages read at one look, each of which is a request; the next look goes on where this one ended."""


def ends(job: Job, observation: Observation) -> bool:
    """Tell whether a job that was watched is over, so that the last of its events can be had."""
    return job.state is not None and not is_terminal(job.state) and is_terminal(observation.state)


class TelemetryReader:
    """Reads what is new of jobs, and records their metric points. What goes wrong ends one look, and is logged."""

    def __init__(self, store: MetricStore | None, runtime: Runtime) -> None:
        """Without a store, one page tells how far a job has come, and nothing is kept."""
        self._store = store
        self._runtime = runtime

    async def read(self, source: JobSource, job: Job) -> Progress | None:
        """Read what is new of a job, and record it; return how far the job has come, None when that is not said."""
        if self._store is None:
            page = await read_events(source, job, None, self._runtime.log)
            return None if isinstance(page, PollFailure) else page.progress
        try:
            return await self._read_since(self._store, source, job)
        except StoreError as error:
            self._runtime.log.debug("metric points are not recorded", job=str(job.key), error=str(error))
            return None

    async def _read_since(self, store: MetricStore, source: JobSource, job: Job) -> Progress | None:
        begun_with = cursor = await store.events_cursor(job.key)
        points: list[MetricPoint] = []
        milestones: list[Milestone] = []
        told: list[Progress] = []
        for _ in range(MOST_PAGES):
            page = await read_events(source, job, cursor, self._runtime.log)
            if isinstance(page, PollFailure):
                break
            points += page.points
            milestones += page.milestones
            told += [page.progress] if page.progress else []
            has_more = page.has_more and page.cursor != cursor
            cursor = page.cursor
            if not has_more:
                break
        if milestones:  # before the cursor, so that a crash in between forgets none
            await store.record_milestones(job.key, milestones)
        if points or cursor != begun_with:
            await store.record_points(job.key, points, cursor, self._runtime.clock())
        return max(told, key=lambda progress: (progress.at, progress.done), default=None)
