"""Three watchers on one PostgreSQL: they share the work, and nothing is lost when one of them or the server fails.

They run once, while sixty jobs change; each test looks at one side of what was observed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

import psycopg
import pytest

from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY
from tests.evidence.database import current_conditions, expire_claims
from tests.evidence.environment import open_environment
from tests.evidence.postgresql import PostgreSQL, postgresql
from tests.evidence.random_jobs import alternating_jobs
from tests.evidence.reconcile import Coverage
from tests.evidence.replicas import Poll, Replicas
from tests.evidence.report import Report
from watcher.simulator.script import JobScript, Script, Step
from watcher.simulator.server import utc_now

pytestmark = pytest.mark.postgresql

NAMES = ("one", "two", "three")
JOBS = [f"ftjob-{number:02}" for number in range(60)]
SEED = 4
INTERVAL = timedelta(seconds=1)
TOLERANCE = timedelta(seconds=0.5)
"""One tick of the scheduler, and the delays of a busy machine."""
COVERAGE = Coverage(longest_unseen=2 * INTERVAL + TOLERANCE)
SHORT, LONG = (3.0, 6.0), (11.0, 14.0)
"""How many seconds statuses last: at first, and while the database is away, when only one watcher may know of one."""
UNDISTURBED = timedelta(seconds=28)
OUTAGE = timedelta(seconds=8)
AFTER_OUTAGE = 3 * INTERVAL
FINISH_LIMIT = timedelta(seconds=40)
SMALLEST_SHARE, LARGEST_SHARE = 0.20, 0.47
"""The bounds of the share of the polls that each of the three watchers has."""


@dataclass
class ReplicaScenario:
    """A run of three watchers with a restart, an outage of the database and two kills, and what was observed."""

    replicas: Replicas
    polls: Sequence[Poll] = ()
    """The polls of the undisturbed time."""
    repeated: int = 0
    """The number of messages sent twice in the undisturbed time."""
    polls_after_kills: Sequence[Poll] = ()
    """The polls of the two intervals after all watchers but one were killed."""
    unfinished: frozenset[str] = frozenset()
    """The jobs that had not ended by then."""
    report: Report = field(default_factory=Report)
    conditions: Mapping[str, str] = field(default_factory=dict)
    """The recorded conditions at the end."""

    async def run(self, server: PostgreSQL) -> None:
        """Run the whole scenario."""
        await self.replicas.start(*NAMES)
        await self.replicas.until_all_jobs_are_recorded()
        for job in alternating_jobs(Random(SEED), JOBS, *[SHORT] * 6, LONG, LONG):
            self.replicas.environment.api.add_job(job)
        spread_due_times(self.replicas.environment.url)
        await self._run_undisturbed()
        await self._restart(NAMES[0])
        await self._interrupt_database(server)
        await self._kill_all_but(NAMES[-1])
        await self._finish(NAMES[-1])

    async def _run_undisturbed(self) -> None:
        begun = utc_now()
        await asyncio.sleep(UNDISTURBED.total_seconds())
        self.polls = self.replicas.polls(begun, utc_now())
        self.repeated = self.replicas.environment.report(COVERAGE).repeated

    async def _restart(self, name: str) -> None:
        assert (await self.replicas.stop(name)).code == 0
        await self.replicas.start(name)

    async def _interrupt_database(self, server: PostgreSQL) -> None:
        for _ in range(2):
            assert server.cut_connections() >= len(NAMES)
            await asyncio.sleep(INTERVAL.total_seconds())
        await asyncio.to_thread(server.stop)
        await asyncio.sleep(OUTAGE.total_seconds())
        await asyncio.to_thread(server.start)
        await asyncio.sleep(AFTER_OUTAGE.total_seconds())

    async def _kill_all_but(self, last: str) -> None:
        environment = self.replicas.environment
        await self.replicas.kill(*(name for name in NAMES if name != last))
        killed = utc_now()
        within = 2 * INTERVAL + TOLERANCE
        await asyncio.sleep(within.total_seconds())
        self.polls_after_kills = self.replicas.polls(killed, killed + within)
        self.unfinished = frozenset(job for job in JOBS if environment.api.status(job) != "succeeded")
        expire_claims(environment.url)  # they would expire by themselves after half a minute

    async def _finish(self, last: str) -> None:
        environment = self.replicas.environment
        limit = environment.end - utc_now() + FINISH_LIMIT
        await environment.until_settled(self.replicas.running[last], limit)
        self.report = environment.report(COVERAGE)
        self.conditions = current_conditions(environment.url)
        assert (await self.replicas.stop(last)).code == 0


def spread_due_times(url: str) -> None:
    """Spread the due times of the jobs over the interval: these jobs were all added at the same moment."""
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE job SET due_at = due_at + random() * interval '1 s' WHERE due_at IS NOT NULL")


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory, bytecode: Path) -> ReplicaScenario:
    """The finished scenario."""
    homes = tmp_path_factory.mktemp("replicas")
    script = Script(tuple(JobScript(job, (Step("queued"),)) for job in JOBS), api_key=API_KEY)

    async def run(server: PostgreSQL) -> ReplicaScenario:
        async with open_environment(Command(homes, bytecode), script, server.new_database()) as environment:
            scenario = ReplicaScenario(Replicas(environment, homes, bytecode))
            async with scenario.replicas.configured(*NAMES, interval=INTERVAL):
                await scenario.run(server)
            return scenario

    with postgresql() as server:
        return asyncio.run(run(server))


def test_each_watcher_polls_its_share(scenario: ReplicaScenario) -> None:
    polls = Counter(poll.watcher for poll in scenario.polls)
    shares = {name: polls[name] / polls.total() for name in NAMES}
    assert all(SMALLEST_SHARE <= share <= LARGEST_SHARE for share in shares.values()), shares


def test_each_due_job_is_polled_once_an_interval_by_one_of_them(scenario: ReplicaScenario) -> None:
    polls = Counter(poll.job for poll in scenario.polls)
    intervals = UNDISTURBED / INTERVAL
    assert set(polls) == set(JOBS)
    assert max(polls.values()) <= intervals + 2, polls
    assert min(polls.values()) >= intervals / 2, polls


def test_each_delivery_is_claimed_once(scenario: ReplicaScenario) -> None:
    assert scenario.repeated == 0


def test_when_two_are_killed_the_third_polls_everything_within_two_intervals(scenario: ReplicaScenario) -> None:
    assert scenario.unfinished
    assert {poll.watcher for poll in scenario.polls_after_kills} == {NAMES[-1]}
    assert scenario.unfinished <= {poll.job for poll in scenario.polls_after_kills}


def test_nothing_is_lost_repeated_under_another_id_or_out_of_order(scenario: ReplicaScenario) -> None:
    """Not by a restart, cut connections, an outage of the database, or two kills."""
    scenario.report.check(f"seed {SEED}")


def test_no_condition_is_left_that_has_passed(scenario: ReplicaScenario) -> None:
    failing = {"failing", "unreachable", "rejected"}
    assert not {subject: state for subject, state in scenario.conditions.items() if state in failing}
    assert "Traceback" not in scenario.replicas.output()
