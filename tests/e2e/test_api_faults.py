"""Every fault of an API, each by itself and all mixed: no transition is lost, and none is false.

Each case is a source of its own, so that none waits for another. To run it for longer, and with the longest waits in
full: `python -m tests.soak faults --minutes 10`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from signal import SIGHUP

from tests.e2e.processes import Command, Running
from tests.evidence.database import make_due
from tests.evidence.environment import Environment, open_environment_with
from tests.evidence.faults import LISTED, MIXED, UNREACHABLE, cases, scripts
from tests.evidence.reconcile import Coverage
from tests.evidence.unreachable import unreachable
from watcher.simulator.server import utc_now

SEED = 20_261_124
LIMIT = timedelta(seconds=60)
ROUND = timedelta(seconds=3)
ROUNDS = 8
POLLING = {"interval": "0.1s", "max_interval": "1s"}
LONGEST_UNSEEN = timedelta(seconds=10)
"""For the jobs polled by list pages; the statuses of all others end only after they were reported."""


async def test_nothing_is_lost_or_false_whatever_an_api_does(watcher: Command, tmp_path: Path) -> None:
    chosen = cases(utc_now())
    async with (
        open_environment_with(watcher, scripts(Random(SEED), chosen)) as environment,
        unreachable(environment, tmp_path / "trust.pem") as sources,
    ):
        watcher.configure(sources.broken_settings(polling=POLLING))
        async with watcher.start("run", env=sources.variables) as running:
            await running.until(
                lambda: all(error in running.err for error in UNREACHABLE.values()), "connection errors"
            )
            begun = utc_now()
            sources.repair_certificates()
            watcher.configure(sources.repaired_settings(polling=POLLING))
            running.signal(SIGHUP)
            await environment.until_settled(
                running, LIMIT, MIXED, LISTED, *(case.name for case in chosen if not case.is_slow)
            )
            await shorten_waits(environment, running, [case.name for case in chosen])
            await environment.until_settled(running, LIMIT)
            ended = await running.stop()
        report = environment.report(Coverage(LONGEST_UNSEEN, [(begun, utc_now())]))
    faulty_answers = {name: api.faulty_answers.total() for name, api in environment.apis.items()}
    report.check(f"seed {SEED}")
    assert ended.code == 0
    assert faulty_answers.pop(MIXED) > 50
    assert faulty_answers.pop(LISTED) == 0
    assert environment.apis[LISTED].faulty_pages > 0
    assert faulty_answers == {case.name: len(environment.apis[case.name].ids) * case.faulty_answers for case in chosen}


async def shorten_waits(environment: Environment, running: Running, names: Sequence[str]) -> None:
    """End the waits of a minute and longer: those of jobs in the database, those of sources by a reload."""
    for _ in range(ROUNDS):
        make_due(environment.url)
        running.signal(SIGHUP)
        await environment.until_settled(running, ROUND, *names)
        if environment.is_settled(*names):
            return
