"""A notifier always gets a job's transitions in order. On both databases."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.store.scenes import DELIVERED, FAILED, MINUTE, NOON, REJECTED, SECOND, key, move, watch
from tests.doubles import transition_of
from tests.recorded import history
from watcher.domain.deliveries import Delivery, DeliveryState, Outcome, after_attempt
from watcher.domain.jobs import Job, JobKey
from watcher.store.sql import SqlStore

Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["move", "claim", "deliver", "fail", "reject", "crash", "wait"]), st.integers(0, 5)),
    min_size=5,
    max_size=40,
)
OUTCOMES: dict[str, Outcome] = {"deliver": DELIVERED, "fail": FAILED, "reject": REJECTED}
_runs = count()


class Play:
    """A watcher's life over two jobs and two notifiers of its own, in one store with those of other plays."""

    def __init__(self, store: SqlStore, jobs: Sequence[Job]) -> None:
        self.store = store
        self.jobs = list(jobs)
        self.notifiers = [f"pager-{jobs[0].key.id}", f"chat-{jobs[0].key.id}"]
        self.now = NOON
        self.claimed_deliveries: list[Delivery] = []
        self.first_attempts: dict[tuple[str, JobKey], list[int]] = defaultdict(list)

    async def step(self, verb: str, number: int) -> None:
        """Do one thing, a second after the last one."""
        self.now += SECOND
        if verb == "move":
            await self.move(number % len(self.jobs))
        elif verb == "claim":
            await self.claim(1 + number)
        elif verb == "wait":
            self.now += number * MINUTE
        elif verb == "crash":
            self.claimed_deliveries.clear()
        elif self.claimed_deliveries:
            delivery = self.claimed_deliveries.pop(number % len(self.claimed_deliveries))
            await self.store.settle([after_attempt(delivery, OUTCOMES[verb], self.now, 0.0)])

    async def move(self, index: int) -> None:
        """Let a job move, owed to both notifiers."""
        job = self.jobs[index]
        change = move(job, "queued" if job.status == "running" else "running", self.now, self.notifiers)
        assert not await self.store.record([change])
        self.jobs[index] = change.job

    async def claim(self, capacity: int) -> None:
        """Claim, and check that nothing earlier of the same notifier and job is pending."""
        claimed = await self.store.claim(dict.fromkeys(self.notifiers, capacity), self.now, self.now + MINUTE)
        pending = await self.store.deliveries(states=[DeliveryState.PENDING], limit=10_000)
        for delivery in claimed:
            thread, seq = (delivery.notifier, transition_of(delivery).key), transition_of(delivery).seq
            waiting = [transition_of(d).seq for d in pending if (d.notifier, transition_of(d).key) == thread]
            assert seq == min(waiting)
            if seq not in self.first_attempts[thread]:
                self.first_attempts[thread].append(seq)
        self.claimed_deliveries += claimed

    async def drain(self) -> None:
        """Deliver all that is left, and check that everything was sent, in order."""
        for _ in range(100):
            self.now += 2 * MINUTE
            self.claimed_deliveries.clear()
            await self.claim(10)
            await self.store.settle([after_attempt(each, DELIVERED, self.now, 0.0) for each in self.claimed_deliveries])
            if not self.claimed_deliveries:
                break
        for job in self.jobs:
            seqs = [transition.seq for transition in await history(self.store, job.key)]
            for notifier in self.notifiers:
                assert self.first_attempts[notifier, job.key] == seqs


@settings(
    deadline=None,
    # All examples share one database, each with jobs and notifiers of its own.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_deliveries_are_claimed_in_order(url: str, steps: list[Step]) -> None:
    async def play() -> None:
        async with SqlStore(url) as store:
            run = next(_runs)
            play = Play(store, await watch(store, key(2 * run), key(2 * run + 1)))
            for verb, number in steps:
                await play.step(verb, number)
            await play.drain()

    asyncio.run(play())
