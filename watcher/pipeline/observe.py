"""Due jobs → retrieve → detect → record."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import cast

from watcher.domain.cadence import MISSING_TOLERATED, PollOutcome, Trouble, answered, next_poll, troubled
from watcher.domain.conditions import Health
from watcher.domain.jobs import Job, JobKey, Observation, is_terminal
from watcher.domain.routing import Route, owed
from watcher.domain.transitions import Transition, detect, moved
from watcher.errors import StoreError
from watcher.pipeline.gate import Gate
from watcher.pipeline.group_commit import GroupCommit
from watcher.pipeline.poll import poll
from watcher.pipeline.ports import Change, Edges, JobRecord, JobSource
from watcher.pipeline.pulse import Pulse

STALE_INTERVALS = 20
"""A job not seen due for so many intervals is watched by somebody else, or no more: it need not be remembered."""


@dataclass(slots=True)
class _Lane:
    """What goes on at one source."""

    source: JobSource
    at_once: int
    gate: Gate = field(default_factory=Gate)
    polling: set[JobKey] = field(default_factory=set)
    last_answer: datetime | None = None
    failing_since: datetime | None = None
    """The first failed poll after the last one that reached the source."""
    error: str | None = None
    is_behind: bool = False
    """Whether more jobs were due than there was room for."""

    def note(self, result: Observation | Trouble | None, now: datetime) -> None:
        if isinstance(result, Trouble):
            self.error = result.error
            has_failed = result.outcome is PollOutcome.FAILED
            self.failing_since = (self.failing_since or now) if has_failed else None
        else:
            self.last_answer, self.failing_since, self.error = now, None, None

    def room(self, now: datetime) -> int:
        return self.gate.room(max(self.at_once - len(self.polling), 0), now)


class Observe:
    """Polls what is due, and records what it learns."""

    def __init__(
        self,
        record: JobRecord,
        edges: Edges,
        *,
        interval: timedelta,
        routes: Sequence[Route],
        on_owed: Callable[[], None],
    ) -> None:
        """`on_owed` is called when a recorded transition is owed to somebody."""
        self._record = record
        self._edges = edges
        self._log = edges.log
        self._interval = interval
        self._routes = routes
        self._on_owed = on_owed
        self._lanes: dict[str, _Lane] = {}
        self._jobs: dict[JobKey, Job] = {}
        """Every job as last known: what goes on being polled while the record cannot be reached."""
        self._unrecorded: Counter[JobKey] = Counter()
        self._changes = GroupCommit("changes of jobs", record.record, self, edges.log)
        self._wake = asyncio.Event()
        self._record_error: StoreError | None = None
        self.on_missing: Callable[[Job], None] = lambda _job: None
        """Called when a source has disowned a job too often for it to be just created."""
        self.pulse = Pulse()
        self.first_tick = asyncio.Event()
        """Set once the due jobs were looked for."""

    def add_source(self, name: str, source: JobSource, at_once: int) -> None:
        """Poll the jobs of this source, with at most `at_once` polls under way."""
        self._lanes[name] = _Lane(source, at_once)

    def wake(self) -> None:
        """Look for due jobs now."""
        self._wake.set()

    @property
    def watched(self) -> int:
        """How many jobs are being polled here."""
        return len(self._jobs)

    def record_error(self) -> StoreError | None:
        """Say why the record cannot be read or written; None while it can."""
        return self._changes.refusal or self._record_error

    def health(self) -> list[Health]:
        """Say how each source has been doing."""
        return [
            Health(name, lane.last_answer, lane.failing_since, lane.error, lane.gate.rejection)
            for name, lane in self._lanes.items()
        ]

    def last_answers(self) -> Mapping[str, datetime | None]:
        """Say when each source last answered a poll."""
        return {name: lane.last_answer for name, lane in self._lanes.items()}

    async def run(self) -> None:
        """Poll for ever; cancel to stop. What was observed is recorded first, polls under way are dropped."""
        async with self._changes, asyncio.TaskGroup() as polls:
            while True:
                await self._wake.wait()
                self._wake.clear()
                for job in await self._take():
                    polls.create_task(self._poll(job))
                self.pulse.turned()
                self.first_tick.set()

    def forget_stale(self) -> None:
        """Forget jobs that have not been due here for long."""
        horizon = self._edges.clock() - STALE_INTERVALS * self._interval
        for key in [key for key, job in self._jobs.items() if job.due_at is None or job.due_at < horizon]:
            self._forget(key)

    async def _take(self) -> Sequence[Job]:
        now = self._edges.clock()
        capacity = {name: room for name, lane in self._lanes.items() if (room := lane.room(now))}
        if not capacity:
            return ()
        try:
            taken = [self._latest(job) for job in await self._record.take_due(capacity, now, now + self._interval)]
        except StoreError as error:
            self._note_record(error)
            taken = self._due_from_memory(capacity, now)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the watching
            self._log.exception("looking for due jobs broke", error=type(error).__name__)
            return ()
        else:
            self._note_record(None)
        return self._started(taken, capacity, now)

    def _started(self, taken: Sequence[Job], capacity: Mapping[str, int], now: datetime) -> list[Job]:
        """Note the jobs as being polled; leave out those that still are."""
        taken_of = Counter(job.key.source for job in taken)
        for name, room in capacity.items():
            self._lanes[name].is_behind = taken_of[name] == room
            if taken_of[name]:
                self._lanes[name].gate.passed(now)
        jobs = [job for job in taken if job.key not in self._lanes[job.key.source].polling]
        for job in jobs:
            self._lanes[job.key.source].polling.add(job.key)
            self._jobs[job.key] = job
        return jobs

    def _latest(self, recorded: Job) -> Job:
        """Prefer our own state of a job while what we learned of it is still on its way into the record."""
        if recorded.key in self._unrecorded and (known := self._jobs.get(recorded.key)):
            return replace(known, due_at=recorded.due_at)
        return recorded

    def _due_from_memory(self, capacity: Mapping[str, int], now: datetime) -> list[Job]:
        due: list[Job] = []
        room = dict(capacity)
        for job in self._jobs.values():
            if job.due_at is not None and job.due_at <= now and room.get(job.key.source, 0):
                room[job.key.source] -= 1
                due.append(replace(job, due_at=now + self._interval))
        return due

    def _note_record(self, error: StoreError | None) -> None:
        if error and not self._record_error:
            self._log.error("record not readable, polling on from memory", error=str(error))
        if self._record_error and not error:
            self._log.info("record readable again")
        self._record_error = error

    async def _poll(self, job: Job) -> None:
        lane = self._lanes[job.key.source]
        self.pulse.begun(job.key)
        begun = monotonic()
        try:
            result = await poll(lane.source, job, self._log)
            outcome = result.outcome if isinstance(result, Trouble) else PollOutcome.ANSWERED
            self._edges.meter.polled(job.key.source, outcome, monotonic() - begun)
            self._note(job.key.source, result)
            if isinstance(result, Trouble):
                self._log_trouble(lane.gate, job, result)
                self._complain(job, result)
            else:
                self._learn(job, result)
        finally:
            self.pulse.ended(job.key)
            lane.polling.discard(job.key)
            if lane.is_behind and len(lane.polling) * 2 <= lane.at_once:
                self._wake.set()

    def _note(self, source: str, result: Observation | Trouble | None) -> None:
        """Note what a result says of its source."""
        lane, now = self._lanes[source], self._edges.clock()
        lane.note(result, now)
        trouble = result if isinstance(result, Trouble) else None
        if trouble and trouble.retry_after:
            lane.gate.hush(trouble.retry_after, now)
        # Who says that it does not know a job has let us in.
        if (trouble is None or trouble.outcome is PollOutcome.MISSING) and lane.gate.open():
            self._log.info("source accepts us again", source=source)

    def _log_trouble(self, gate: Gate, job: Job, trouble: Trouble) -> None:
        """Say each kind of trouble once when it begins, and only to those who look for it while it lasts."""
        log, event = self._log.debug, "poll failed"
        if trouble.outcome is PollOutcome.REJECTED:
            event = "source rejects us, probing it once a minute"
            if gate.close(trouble.error, self._edges.clock()):
                log = self._log.error
        elif trouble.outcome is PollOutcome.MISSING and job.missing == MISSING_TOLERATED:
            log, event = self._log.error, "job is unknown to its source"
            self.on_missing(troubled(job, trouble))
        elif not job.failures:
            log = self._log.warning
        log(event, job=str(job.key), error=trouble.error, failures=job.failures + 1, request_id=trouble.request_id)

    def _complain(self, job: Job, trouble: Trouble) -> None:
        after = troubled(job, trouble)
        if trouble.outcome is PollOutcome.REJECTED and after == job:
            return
        if trouble.outcome is not PollOutcome.REJECTED:  # that is for the gate to wait for, and not for the job
            now = self._edges.clock()
            after = replace(after, due_at=next_poll(after, self._interval, now, self._edges.jitter(), trouble))
        self._put(Change(job.seq, after))

    def _learn(self, job: Job, observation: Observation | None) -> None:
        transition = detect(job, observation) if observation else None
        after = answered(job)
        if transition:
            after = moved(after, transition)
        elif after == job and not is_terminal(job.status):
            return  # nothing new: the due time has moved with all the others, and there is nothing to write
        after = replace(after, due_at=next_poll(after, self._interval, self._edges.clock(), self._edges.jitter()))
        self._put(Change(job.seq, after, transition, owed(self._routes, transition) if transition else ()))

    def _put(self, change: Change) -> None:
        key = change.job.key
        if change.transition is None and self._changes.refusal:
            # While nothing can be written, the last word on a job's failures is enough.
            self._settle(self._changes.take_back(lambda each: each.job.key == key and each.transition is None))
        self._jobs[key] = change.job
        self._unrecorded[key] += 1
        self._changes.put(change)

    def committed(self, items: Sequence[Change], result: object) -> None:
        """Hear from the queue that changes were recorded, except those of the jobs in `result`: they came too late."""
        late = cast(Collection[JobKey], result)
        # What builds on a change that came too late is void, even if its number should fit.
        self._settle([*items, *self._changes.take_back(lambda each: each.job.key in late)])
        for change in items:
            if change.job.key in late:
                self._log.info("somebody else was first, observation dropped", job=str(change.job.key))
            elif change.transition:
                self._edges.meter.moved(change.transition)
                self._log_transition(change.transition, change.owed)
            if change.job.key in late or is_terminal(change.job.status):
                self._forget(change.job.key)
        if any(change.owed for change in items if change.job.key not in late):
            self._on_owed()

    def dropped(self, item: Change) -> None:
        """Hear from the queue that a change can never be recorded; the next look at the job begins anew."""
        self._settle([item])
        self._forget(item.job.key)

    def _settle(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._unrecorded[change.job.key] -= 1
            if not self._unrecorded[change.job.key]:
                del self._unrecorded[change.job.key]

    def _log_transition(self, transition: Transition, owed: Sequence[str]) -> None:
        self._log.info(
            "transition",
            job=str(transition.key),
            before=transition.previous_status,
            status=transition.status,
            reason=str(transition.reason),
            owed=list(owed),
        )

    def _forget(self, key: JobKey) -> None:
        if key in self._unrecorded:
            return  # what is still on its way into the record must not be lost sight of
        self._jobs.pop(key, None)
        self._lanes[key.source].source.forget(key.id)
