"""Three watchers on one PostgreSQL: they share the work, and nothing is lost whatever happens to them or to it.

They live through it once, while sixty jobs move; each test looks at one side of what was seen.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

import psycopg
import pytest

from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY
from tests.evidence.fleet import Fleet, Poll, restless
from tests.evidence.postgresql import PostgreSQL, postgresql
from tests.evidence.reconcile import Follow
from tests.evidence.record import expire_claims
from tests.evidence.stage import stage
from tests.evidence.tally import Tally
from watcher.simulator.script import JobScript, Script, Step
from watcher.simulator.server import utc_now

NAMES = ("one", "two", "three")
JOBS = [f"ftjob-{number:02}" for number in range(60)]
SEED = 4
INTERVAL = timedelta(seconds=1)
SLACK = timedelta(seconds=0.5)
"""The tick that finds a due job, and the delays of a busy machine."""
WATCH = Follow(blind=2 * INTERVAL + SLACK)
QUICK, SLOW = (3.0, 6.0), (11.0, 14.0)
"""How many seconds statuses last: while all is well, and while one may be hidden from all but one watcher for as long
as the database is away."""
QUIET = timedelta(seconds=14)
OUTAGE = timedelta(seconds=8)
AFTERWARDS = 3 * INTERVAL
SETTLED = timedelta(seconds=40)
FAIREST, UNFAIREST = 0.20, 0.47
"""The smallest and the greatest share of the polls that one of three watchers may have."""


@dataclass
class Voyage:
    """What three watchers went through."""

    fleet: Fleet
    polls: Sequence[Poll] = ()
    """Those of the time in which nothing went wrong."""
    sent_twice: int = 0
    """How many messages had been sent twice by then."""
    polls_of_the_last: Sequence[Poll] = ()
    """Those of the two intervals after all watchers but one were killed."""
    left: frozenset[str] = frozenset()
    """The jobs that had not ended by then."""
    tally: Tally = field(default_factory=Tally)
    conditions: list[tuple[str, str]] = field(default_factory=list)
    """How things stand at the end, as the record has it."""

    async def sail(self, server: PostgreSQL) -> None:
        """Live through it all."""
        truth = self.fleet.stage.truth
        await self.fleet.start(*NAMES)
        await self.fleet.until_all_are_seen()
        for job in restless(Random(SEED), JOBS, QUICK, QUICK, QUICK, SLOW, SLOW):
            truth.add_job(job)
        spread(self.fleet.stage.url)
        await self._work_in_peace()
        await self._restart(NAMES[0])
        await self._lose_the_database(server)
        await self._lose_all_but(NAMES[-1])
        await self._come_to_an_end(NAMES[-1])

    async def _work_in_peace(self) -> None:
        begun = utc_now()
        await asyncio.sleep(QUIET.total_seconds())
        self.polls = self.fleet.polls(begun, utc_now())
        self.sent_twice = self.fleet.stage.tally(WATCH).repeated

    async def _restart(self, name: str) -> None:
        assert (await self.fleet.stop(name)).code == 0
        await self.fleet.start(name)

    async def _lose_the_database(self, server: PostgreSQL) -> None:
        for _ in range(2):
            assert server.cut_connections() >= len(NAMES)
            await asyncio.sleep(INTERVAL.total_seconds())
        await asyncio.to_thread(server.stop)
        await asyncio.sleep(OUTAGE.total_seconds())
        await asyncio.to_thread(server.start)
        await asyncio.sleep(AFTERWARDS.total_seconds())

    async def _lose_all_but(self, last: str) -> None:
        truth = self.fleet.stage.truth
        await self.fleet.kill(*(name for name in NAMES if name != last))
        killed = utc_now()
        within = 2 * INTERVAL + SLACK
        await asyncio.sleep(within.total_seconds())
        self.polls_of_the_last = self.fleet.polls(killed, killed + within)
        self.left = frozenset(job for job in JOBS if truth.status(job) != "succeeded")
        expire_claims(self.fleet.stage.url)  # in half a minute those of the dead would be over by themselves

    async def _come_to_an_end(self, last: str) -> None:
        scene = self.fleet.stage
        await scene.until_settled(self.fleet.running[last], scene.end - utc_now() + SETTLED)
        self.tally = scene.tally(WATCH)
        with psycopg.connect(scene.url) as connection:
            rows = connection.execute("SELECT job_id, status FROM job WHERE source = '@watcher'").fetchall()
        self.conditions = [(str(subject), str(state)) for subject, state in rows]
        assert (await self.fleet.stop(last)).code == 0


def spread(url: str) -> None:
    """Have the jobs fall due all over the interval, as jobs do that were not all added at the same moment."""
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE job SET due_at = due_at + random() * interval '1 s' WHERE due_at IS NOT NULL")


@pytest.fixture(scope="module")
def voyage(tmp_path_factory: pytest.TempPathFactory, bytecode: Path) -> Voyage:
    """The voyage, at its end."""
    homes = tmp_path_factory.mktemp("fleet")
    waiting = Script(tuple(JobScript(job, (Step("queued"),)) for job in JOBS), api_key=API_KEY)

    async def sail(server: PostgreSQL) -> Voyage:
        async with stage(Command(homes, bytecode), waiting, server.new_database()) as scene:
            voyage = Voyage(Fleet(scene, homes, bytecode))
            async with voyage.fleet.of(*NAMES, interval=INTERVAL):
                await voyage.sail(server)
            return voyage

    with postgresql() as server:
        return asyncio.run(sail(server))


def test_each_watcher_polls_its_share(voyage: Voyage) -> None:
    polls = Counter(poll.watcher for poll in voyage.polls)
    shares = {name: polls[name] / polls.total() for name in NAMES}
    assert all(FAIREST <= share <= UNFAIREST for share in shares.values()), shares


def test_each_due_job_is_polled_once_an_interval_by_one_of_them(voyage: Voyage) -> None:
    polls = Counter(poll.job for poll in voyage.polls)
    intervals = QUIET / INTERVAL
    assert set(polls) == set(JOBS)
    assert max(polls.values()) <= intervals + 2, polls
    assert min(polls.values()) >= intervals / 2, polls


def test_each_delivery_is_claimed_once(voyage: Voyage) -> None:
    assert voyage.sent_twice == 0


def test_when_two_were_killed_the_third_polls_everything_within_two_intervals(voyage: Voyage) -> None:
    assert voyage.left
    assert {poll.watcher for poll in voyage.polls_of_the_last} == {NAMES[-1]}
    assert voyage.left <= {poll.job for poll in voyage.polls_of_the_last}


def test_nothing_is_lost_told_twice_or_out_of_order(voyage: Voyage) -> None:
    """Not by a restart, cut connections, a database that was away, nor by two watchers that were killed."""
    voyage.tally.check(f"seed {SEED}")


def test_no_condition_is_left_that_is_not_so(voyage: Voyage) -> None:
    assert not [
        (subject, state) for subject, state in voyage.conditions if state in {"failing", "unreachable", "rejected"}
    ]
    assert "Traceback" not in voyage.fleet.written()
