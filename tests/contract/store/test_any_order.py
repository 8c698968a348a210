"""Two watchers on one store, in any order: hypothesis looks for one in which something is lost, doubled or mixed up.

Beside the store runs a model of it, which says what must be there.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection

from tests.contract.store.model import Model, Owed, name
from tests.contract.store.open_store import OpenStore
from tests.contract.store.scenes import DELIVERED, FAILED, MINUTE, NOON, REJECTED, SECOND, emptied, key, move
from watcher.domain.deliveries import Delivery, Outcome, after_attempt
from watcher.domain.jobs import Job, JobKey, JobSpec
from watcher.domain.states import is_terminal
from watcher.domain.transitions import Transition
from watcher.engine.ports import ClaimRequest, LongestWaits
from watcher.store.deliveries import list_deliveries
from watcher.store.jobs import latest_transitions, list_jobs
from watcher.store.sql import Selection

JOBS = tuple(map(key, range(3)))
NOTIFIERS = ("pager", "chat")
STATUSES = ("queued", "running", "paused", "succeeded", "failed")
HOUR = timedelta(hours=1)
CLAIM = MINUTE
EXPLORES = settings.get_current_profile_name() == "explore"

T = TypeVar("T")
watchers = st.integers(0, 1)
jobs = st.sampled_from(JOBS)
notifiers = st.sampled_from(NOTIFIERS)
rooms = st.integers(1, 3)
spans = st.sampled_from([SECOND, 7 * SECOND, 2 * CLAIM, 24 * HOUR])
outcomes: st.SearchStrategy[Outcome] = st.sampled_from([DELIVERED, FAILED, REJECTED])
seen = (
    st.sampled_from([JOBS, *([job] for job in JOBS)]),
    st.sampled_from(STATUSES),
    st.sampled_from([NOTIFIERS, NOTIFIERS[:1]]),
)
often = (
    st.tuples(st.just("observe"), *seen),
    st.tuples(st.just("claim"), rooms),
    st.tuples(st.just("settle"), st.lists(outcomes, min_size=1, max_size=4)),
    st.tuples(st.just("claim_due"), rooms, st.sampled_from([timedelta(), 5 * SECOND]), st.booleans()),
    st.tuples(st.just("wait"), spans),
)
seldom = st.one_of(
    st.tuples(st.sampled_from(["add", "remove"]), jobs),
    st.tuples(st.sampled_from(["requeue", "discard"]), notifiers),
    st.tuples(st.sampled_from(["look", "crash", "set_back", "prune"])),
)
# Hypothesis would choose rules of their own alike, and often leave some out: there would be little work to break.
acts = st.one_of(*often, *often, seldom)


@dataclass
class Watcher:
    """A process: its connection, what it believes of the jobs, and the deliveries that it has in flight."""

    store: OpenStore
    jobs: dict[JobKey, Job] = field(default_factory=dict)
    in_flight: list[Delivery] = field(default_factory=list)


class TwoWatchers(RuleBasedStateMachine):
    """The rules by which two watchers and a person work on one store."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now = NOON
        self.model = Model()
        self.watchers = [Watcher(OpenStore(url)) for _ in range(2)]
        for watcher in self.watchers:
            self.run(watcher.store.__aenter__())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        for watcher in self.watchers:
            self.run(watcher.store.__aexit__())
        self.loop.close()

    def add(self, which: int, job: JobKey) -> None:
        """A job is added."""
        result = self.run(self.watchers[which].store.upsert_jobs([JobSpec(job)], self.now))
        assert (result.added, result.revived) == (job not in self.model.jobs, job in self.model.removed)
        known = self.model.jobs.setdefault(job, Job(job, due_at=self.now))
        self.model.transitions.setdefault(job, [])
        if job in self.model.removed and not is_terminal(known.state):
            self.model.jobs[job] = known._replace(due_at=self.now)
        self.model.removed.discard(job)

    @initialize()
    def begin(self) -> None:
        """Both know the same jobs."""
        for which, watcher in enumerate(self.watchers):
            for job in JOBS:
                self.add(which, job)
            watcher.jobs = dict(self.model.jobs)

    def remove(self, which: int, job: JobKey) -> None:
        """A job is removed."""
        is_watched = job in self.model.jobs and job not in self.model.removed
        assert self.run(self.watchers[which].store.remove_job(job, self.now)) == is_watched
        if is_watched:
            self.model.removed.add(job)
            self.model.jobs[job] = self.model.jobs[job]._replace(due_at=None)

    def claim_due(self, which: int, limit: int, ahead: timedelta, is_choosy: bool) -> None:
        """A watcher claims due jobs; no other watcher can claim them then."""
        urgency = (lambda job: float(job.key.id[-1])) if is_choosy else None
        take = ClaimRequest(limit, self.now + MINUTE, ahead, urgency)
        taken = self.run(self.watchers[which].store.claim_due({"openai": take}, self.now))
        due = {key for key, job in self.model.jobs.items() if job.due_at and job.due_at <= self.now + ahead}
        if not any(job.due_at and job.due_at <= self.now for job in self.model.jobs.values()):
            due = set()
        assert {job.key for job in taken} <= due
        assert len(taken) == min(limit, len(due))
        for job in taken:
            assert job == self.model.jobs[job.key]._replace(due_at=self.now + MINUTE)
            self.model.jobs[job.key] = self.watchers[which].jobs[job.key] = job

    @rule(which=watchers, act=acts)
    def happen(self, which: int, act: tuple[Any, ...]) -> None:
        """One of the two does something, or a person by its connection."""
        name, *details = act
        getattr(self, name)(which, *details)

    def look(self, which: int) -> None:
        """A watcher learns how all jobs stand by now."""
        self.watchers[which].jobs = {job.key: job for job in self.run(self.watchers[which].store.jobs())}

    def observe(self, which: int, wanted: Sequence[JobKey], status: str, recipients: Sequence[str]) -> None:
        """A watcher sees a status, and records what that means to it, who may long be out of date."""
        watcher = self.watchers[which]
        seen = [watcher.jobs[job] for job in wanted if job in watcher.jobs]
        changes = [move(job, status, self.now, recipients) for job in seen if job.status != status]
        late = self.run(watcher.store.record(changes))
        for change in changes:
            job, known = change.job.key, self.model.jobs.get(change.job.key)
            has_moved_on = known is None or job in self.model.removed or known.seq != change.seen
            assert (job in late) == (has_moved_on and not self.model.has(change))
            if job in late:
                del watcher.jobs[job]
                continue
            watcher.jobs[job] = change.job
            if not has_moved_on:
                self.model.accept(change)

    def claim(self, which: int, limit: int) -> None:
        """A watcher claims deliveries: due ones, the first of their subject, and none that is in flight elsewhere."""
        capacity = dict.fromkeys(NOTIFIERS, limit)
        claimed = self.run(self.watchers[which].store.claim(capacity, self.now, self.now + CLAIM))
        due = {recipients for recipients in self.model.deliveries if self.model.is_due(recipients, self.now)}
        assert {name(delivery) for delivery in claimed} <= due
        assert len(claimed) == sum(min(limit, sum(recipients[2] == to for recipients in due)) for to in NOTIFIERS)
        for delivery in claimed:
            recipients = self.model.deliveries[name(delivery)]
            self.model.deliveries[name(delivery)] = replace(recipients, claimed_until=self.now + CLAIM)
        self.watchers[which].in_flight += claimed

    def settle(self, which: int, results: list[Outcome]) -> None:
        """A watcher writes what its attempts came to, even if its claims have expired meanwhile."""
        in_flight = self.watchers[which].in_flight
        settlements = [after_attempt(in_flight.pop(0), outcome, self.now, 0) for outcome in results if in_flight]
        for settlement in settlements:
            if name(settlement.delivery) in self.model.deliveries:
                self.model.settle(settlement)
        self.run(self.watchers[which].store.settle(settlements))

    def crash(self, which: int) -> None:
        """A watcher forgets all that it knew and had in flight."""
        self.watchers[which].jobs.clear()
        self.watchers[which].in_flight.clear()

    def wait(self, _: int, step: timedelta) -> None:
        """Time passes: jobs fall due, claims expire."""
        self.now += step

    def set_back(self, which: int) -> None:
        """The clock was an hour ahead, and is set right."""
        self.now -= HOUR
        count = self.model.cap_waits(self.now, 2 * MINUTE)
        longest = LongestWaits(2 * MINUTE, 2 * MINUTE, 2 * MINUTE)
        assert self.run(self.watchers[which].store.cap_waits(self.now, longest)) == count

    def requeue(self, which: int, to: str) -> None:
        """A person wants everything sent now that has not arrived."""
        count = self.model.requeue(to, self.now)
        assert self.run(self.watchers[which].store.requeue(Selection(notifier=to), self.now)) == count

    def discard(self, which: int, to: str) -> None:
        """A person wants nothing more sent."""
        count = self.model.discard(to, self.now)
        assert self.run(self.watchers[which].store.discard(Selection(notifier=to), self.now)) == count

    def prune(self, which: int) -> None:
        """Only what is over and old is pruned."""
        before = self.now - 3 * HOUR
        self.run(self.watchers[which].store.prune(before))
        model, (found, histories, left) = self.model, self.recorded()
        for recipients in model.deliveries.keys() - left.keys():
            gone = model.deliveries.pop(recipients)
            assert gone.settled_at
            assert gone.settled_at < before
            assert model.is_over(recipients[0])
        for job, transitions in model.transitions.items():
            for old in [each for each in transitions if each not in histories.get(job, [])]:
                assert old.observed_at < before
                assert model.is_over(job)
                assert not any(recipients[:2] == (job, old.seq) for recipients in model.deliveries)
                transitions.remove(old)
        for job in model.jobs.keys() - found.keys():
            assert model.is_over(job)
            assert not model.transitions.pop(job)
            del model.jobs[job]
            model.removed.discard(job)

    @invariant()
    def everything_is_recorded_once_and_nothing_is_lost(self) -> None:
        """The jobs, each version's one transition, and what is owed for it, are what the model says."""
        found, transitions, recipients = self.recorded()
        assert found == self.model.jobs
        assert transitions == self.model.transitions
        assert recipients == self.model.deliveries

    def recorded(self) -> tuple[dict[JobKey, Job], dict[JobKey, list[Transition]], dict[Owed, Delivery]]:
        """Return all that is in the store."""

        def read(connection: Connection) -> tuple[list[Job], dict[JobKey, list[Transition]], list[Delivery]]:
            found = list_jobs(connection, include_removed=True)
            histories = {job.key: latest_transitions(connection, job.key, 10_000, None)[::-1] for job in found}
            return found, histories, list_deliveries(connection, None, None, 10_000)

        found, histories, recipients = self.run(self.watchers[1].store.read(read))
        assert len({name(delivery) for delivery in recipients}) == len(recipients)
        return (
            {job.key: job for job in found},
            histories,
            {name(delivery): replace(delivery, id=0) for delivery in recipients},
        )


def explore(new_record: Callable[[], str], examples: int) -> None:
    """Look for an order of events that breaks the contract, each time on an empty record."""
    run_state_machine_as_test(
        cast(type[RuleBasedStateMachine], lambda: TwoWatchers(new_record())),  # any callable that makes one will do
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            # What takes seconds to find may take minutes to shrink.
            phases=[phase for phase in Phase if phase is not Phase.shrink or EXPLORES],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_order_of_events_breaks_the_contract_in_a_file(ready_file: Path, tmp_path: Path) -> None:
    def new_record() -> str:
        for old in tmp_path.iterdir():
            old.unlink()
        shutil.copyfile(ready_file, tmp_path / "watcher.db")
        return f"sqlite:///{tmp_path}/watcher.db"

    explore(new_record, settings().max_examples // 3)


def test_no_order_of_events_breaks_the_contract_on_a_server(ready_database: str) -> None:
    explore(lambda: emptied(ready_database), settings().max_examples // 6)
