"""What becomes of events that are held, grouped and muted, over crashes and two replicas: hypothesis tries to lose one.

A model says what may be: delivered, muted by a silence that held when it was recorded, or dead with a reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.store.scenes import DELIVERED, FAILED, MINUTE, NOON, REJECTED, key, move
from tests.store_files import copy_of, store_file
from watcher.domain.deliveries import Delivery, DeliveryState, Outcome, after_attempt
from watcher.domain.jobs import JobSpec
from watcher.domain.notifications import Planned
from watcher.domain.silences import Silence
from watcher.store.sql import SqlStore

STATUSES = ("queued", "running", "paused")
STEP = 10 * timedelta(seconds=1)
HELD = {"batch": 3 * STEP, "quiet": 60 * STEP}

steps = st.one_of(
    st.tuples(st.just("see"), st.integers(0, 4), st.sampled_from(["batch", "quiet", "at once", "plain"])),
    st.tuples(st.just("silence"), st.integers(0, 1), st.sampled_from(["add", "expire"])),
    st.tuples(st.just("deliver"), st.integers(0, 1), st.sampled_from(["delivered", "failed", "rejected", "crash"])),
    st.tuples(st.just("wait"), st.integers(1, 8), st.just("")),
)
OUTCOMES: dict[str, Outcome] = {"delivered": DELIVERED, "failed": FAILED, "rejected": REJECTED}


@dataclass
class _Story:
    """Two replicas on one store, and what the model knows of each event."""

    replicas: Sequence[SqlStore]
    now = NOON
    seen: dict[int, int] = field(default_factory=dict)
    silenced: dict[str, str] = field(default_factory=dict)
    """The silences in force, by the team that they mute."""
    muted: dict[str, str] = field(default_factory=dict)
    """The reason of each event that must be muted."""
    owed: set[str] = field(default_factory=set)
    arrived: list[str] = field(default_factory=list)

    async def play(self, what: str, number: int, how: str) -> None:
        await getattr(self, f"_{what}")(number, how)

    async def _wait(self, number: int, _how: str) -> None:
        self.now += number * STEP

    async def _see(self, number: int, how: str) -> None:
        """Have a job move on; its notification is held for a batch or the night, may not wait, or waits for nothing."""
        job = await self.replicas[0].job(key(number))
        assert job is not None
        self.seen[number] = self.seen.get(number, -1) + 1
        planned = Planned("pager", releases=how == "at once")
        if how in HELD:
            until = NOON + ((self.now - NOON) // HELD[how] + 1) * HELD[how]
            planned = replace(planned, hold_until=until, group_key=f"{how} {until.isoformat()}", reason=how)
        change = replace(move(job, STATUSES[self.seen[number] % 3], self.now), recipients=(planned,))
        await self.replicas[number % 2].record([change])
        assert change.transition is not None
        if reason := self.silenced.get(f"team-{number % 2}"):
            self.muted[change.transition.id] = reason
        self.owed.add(change.transition.id)

    async def _silence(self, number: int, how: str) -> None:
        team, store = f"team-{number}", self.replicas[1 - number]
        if how == "expire" and team in self.silenced:
            await store.expire_silence(int(self.silenced.pop(team).removeprefix("silence ")), self.now)
        elif how == "add" and team not in self.silenced:
            made = await store.add_silence(Silence("new", self.now + timedelta(days=99), {"team": team}), self.now)
            self.silenced[team] = made.title

    async def _deliver(self, number: int, how: str) -> None:
        store = self.replicas[number]
        claimed = await store.claim({"pager": 2}, self.now, self.now + MINUTE)
        self._check_order(claimed)
        if how == "crash":
            return
        if how == "delivered":
            self.arrived += [each.event.id for each in claimed]
        await store.settle([after_attempt(each, OUTCOMES[how], self.now, 0.0) for each in claimed])

    def _check_order(self, claimed: Iterable[Delivery]) -> None:
        """Check that what is claimed twice over for one job goes out as one message, and in order."""
        by_job: dict[str, list[Delivery]] = {}
        for each in claimed:
            by_job.setdefault(each.event.subject, []).append(each)
        for several in by_job.values():
            assert [each.event.seq for each in several] == sorted(each.event.seq for each in several)
            assert len({each.group_key for each in several}) == 1
            assert len(several) == 1 or several[0].group_key is not None

    async def end(self) -> None:
        """Let all that is owed go out, and compare every fate with the model."""
        for _ in range(40):
            self.now += timedelta(hours=1)
            await self._deliver(0, "delivered")
        fates = {each.event.id: each for each in await self.replicas[1].deliveries(limit=1000)}
        assert set(fates) == self.owed
        for name, fate in fates.items():
            match fate.state:
                case DeliveryState.MUTED:
                    assert fate.reason == self.muted.pop(name)
                case DeliveryState.DEAD:
                    assert fate.last_error
                    assert name not in self.arrived
                case state:
                    assert state is DeliveryState.DELIVERED
                    assert self.arrived.count(name) == 1
        assert not self.muted


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    jobs = [JobSpec(key(number), labels={"team": f"team-{number % 2}"}) for number in range(5)]
    return store_file(tmp_path_factory.mktemp("fates"), jobs, NOON)


@settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(story=st.lists(steps, min_size=5, max_size=40))
def test_every_event_is_delivered_once_muted_by_name_or_dead_with_a_reason(
    empty: Path, story: list[tuple[str, int, str]]
) -> None:
    async def play(url: str) -> None:
        async with SqlStore(url) as one, SqlStore(url) as two:
            told = _Story((one, two))
            for step in story:
                await told.play(*step)
            await told.end()

    with copy_of(empty) as url:
        asyncio.run(play(url))
