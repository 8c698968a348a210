"""API faults, round after round with other jobs; the longest waits, of minutes, are not cut short here."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random
from signal import SIGHUP

from tests.e2e.processes import LIMIT, Command
from tests.evidence.environment import open_environment_with
from tests.evidence.faults import MIXED, UNREACHABLE, cases, scripts
from tests.evidence.reconcile import Coverage
from tests.evidence.report import Report
from tests.evidence.unreachable import unreachable
from tests.soak.outcome import Options, Outcome, Progress
from tests.soak.unreliable_receiver import unreliable_answers
from watcher.simulator.server import utc_now

POLLING = {"interval": "0.2s", "max_interval": "2s"}
COVERAGE = Coverage(timedelta(seconds=20))
ROUND_LIMIT = timedelta(minutes=10)
"""How long a round may take: a source with a very long Retry-After is not polled for two minutes, perhaps twice."""


async def faults(options: Options) -> Outcome:
    """Run every case, in rounds, until the time is over."""
    outcome, progress, rounds = Outcome(), Progress(), 0
    faulty_answers: Counter[str] = Counter()
    while not rounds or progress.elapsed < options.time:
        home = options.home / f"round{rounds}"
        home.mkdir()
        round_options = replace(options, home=home, seed=options.seed + rounds)
        outcome.report.add(await _round(round_options, progress, faulty_answers))
        rounds += 1
    outcome.facts = {
        "rounds": str(rounds),
        "faulty answers": str(faulty_answers.total()),
        "of them mixed": str(faulty_answers[MIXED]),
    }
    outcome.problems += [
        f"the case {case.name} never happened"
        for case in cases(utc_now())
        if case.faulty_answers and not faulty_answers[case.name]
    ]
    return outcome


async def _round(options: Options, progress: Progress, faulty_answers: Counter[str]) -> Report:
    command = Command(options.home, options.home.parent / "bytecode")
    async with (
        open_environment_with(command, scripts(Random(options.seed), cases(utc_now()))) as environment,
        unreachable(environment, options.home / "trust.pem") as sources,
    ):
        receiver = environment.receiver
        receiver.answers = unreliable_answers(Random(options.seed))
        command.configure(sources.broken_settings(polling=POLLING))
        async with command.start("run", env=sources.variables) as running:
            await running.until(
                lambda: all(error in running.err for error in UNREACHABLE.values()), "connection errors", LIMIT
            )
            sources.repair_certificates()
            command.configure(sources.repaired_settings(polling=POLLING))
            running.signal(SIGHUP)
            until = progress.elapsed + ROUND_LIMIT
            while not environment.is_settled() and progress.elapsed < until:
                progress.say(seed=options.seed, accepted=len(receiver.accepted), refused=receiver.refused)
                await environment.until_settled(running, timedelta(seconds=1))
            ended = await running.stop()
        assert ended.code == 0, ended.err[-5000:]
        faulty_answers.update({name: api.faulty_answers.total() for name, api in environment.apis.items()})
        return environment.report(COVERAGE)
