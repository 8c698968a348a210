"""What is known of each job, and what of that is still on its way into the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Self, cast

from watcher.domain.jobs import Job, JobKey
from watcher.domain.states import is_terminal
from watcher.domain.transitions import Transition
from watcher.engine.group_commit import GroupCommit
from watcher.engine.ports import Change, JobStore
from watcher.engine.runtime import Runtime
from watcher.errors import StoreError


class JobCache:
    """Remembers jobs, so that polling goes on while the store cannot be reached, and records what changes.

    Enter it to start recording; leaving it waits until all is recorded, or refused once more.
    """

    def __init__(
        self,
        record: JobStore,
        runtime: Runtime,
        *,
        wake_delivery: Callable[[], None],
        on_forgotten: Callable[[JobKey], None],
    ) -> None:
        """`wake_delivery` is called when a recorded transition has a recipient."""
        self._runtime = runtime
        self._log = runtime.log
        self._wake_delivery = wake_delivery
        self._on_forgotten = on_forgotten
        self._jobs: dict[JobKey, Job] = {}
        """Every job as last known."""
        self._unrecorded: Counter[JobKey] = Counter()
        self._changes = GroupCommit("changes of jobs", record.record, self, runtime.log, runtime.commit_retry_seconds)

    async def __aenter__(self) -> Self:
        """Start recording."""
        await self._changes.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Record what is left, and stop. The jobs are forgotten at once: what refers to them may outlive this."""
        await self._changes.__aexit__(*exc_info)
        self._jobs.clear()

    def __len__(self) -> int:
        """Count the jobs that are known."""
        return len(self._jobs)

    @property
    def is_recorded(self) -> bool:
        """Whether the store holds all that was found."""
        return not self._unrecorded

    @property
    def refusal(self) -> StoreError | None:
        """Why the store cannot be written; None while it can."""
        return self._changes.refusal

    @property
    def stuck(self) -> StoreError | None:
        """Which changes cannot be recorded although the store can be written; None if there are none."""
        return self._changes.stuck

    def keep(self, jobs: Iterable[Job]) -> None:
        """Remember jobs that were taken."""
        for job in jobs:
            self._jobs.pop(job.key, None)  # with its key, which would be a copy of the new one
            self._jobs[job.key] = job

    def latest(self, recorded: Job) -> Job:
        """Prefer our own state of a job while what we learned of it is still on its way into the store."""
        if recorded.key in self._unrecorded and (known := self._jobs.get(recorded.key)):
            return known._replace(due_at=recorded.due_at)
        return recorded

    def due(self, source: str, now: datetime, longest_wait: timedelta) -> Iterator[Job]:
        """Return the jobs that are due, and those whose wait exceeds every rule because the clock was set back."""
        for job in self._jobs.values():
            if job.key.source == source and job.due_at and not now < job.due_at <= now + longest_wait:
                yield job

    def put(self, change: Change) -> None:
        """Have a change recorded soon, in order."""
        key = change.job.key
        if not change.has_events and (self._changes.refusal or self._changes.stuck):
            # While it cannot be written, only the latest failure of a job is kept.
            self._settle(self._changes.take_back(lambda each: each.job.key == key and not each.has_events))
        self._jobs[key] = change.job
        self._unrecorded[key] += 1
        self._changes.put(change)

    def forget_before(self, horizon: datetime) -> None:
        """Forget the jobs that have not been due here since then: another watcher polls them, or they were removed."""
        for key in [key for key, job in self._jobs.items() if job.due_at is None or job.due_at < horizon]:
            self._forget(key)

    def committed(self, items: Sequence[Change], result: object) -> None:
        """Hear from the queue that changes were recorded, except those of the jobs in `result`: they came too late."""
        late = cast(Collection[JobKey], result)
        # What builds on a change that came too late is void, even if its number should fit.
        self._settle([*items, *self._changes.take_back(lambda each: each.job.key in late)])
        for change in items:
            if change.job.key in late:
                self._log.info(
                    "stale update dropped: another watcher recorded it first, or the job is watched no more",
                    job=str(change.job.key),
                )
            elif change.transition:
                self._runtime.telemetry.moved(change.transition)
                self._log_transition(change.transition, [planned.notifier for planned in change.recipients])
            if change.job.key in late or is_terminal(change.job.state):
                self._forget(change.job.key)
        if any(change.recipients or change.conditions for change in items if change.job.key not in late):
            self._wake_delivery()

    def key_of(self, item: Change) -> JobKey:
        """Name the job for the queue: its changes build on each other."""
        return item.job.key

    def _settle(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._unrecorded[change.job.key] -= 1
            if not self._unrecorded[change.job.key]:
                del self._unrecorded[change.job.key]

    def _forget(self, key: JobKey) -> None:
        if key in self._unrecorded:
            return  # what is still on its way into the store must not be lost sight of
        self._jobs.pop(key, None)
        self._on_forgotten(key)

    def _log_transition(self, transition: Transition, recipients: Sequence[str]) -> None:
        self._log.info(
            "transition",
            job=str(transition.key),
            before=transition.previous_status,
            status=transition.status,
            reason=str(transition.reason),
            recipients=list(recipients),
        )
