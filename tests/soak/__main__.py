"""`python -m tests.soak [storm|faults|steady …]`: runs scenarios, prints a report of each, fails on any finding."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from tests.evidence.mixed_services import MIXED_KINDS
from tests.evidence.postgresql import postgresql
from tests.soak.crash_storm import crash_storm
from tests.soak.faults import faults
from tests.soak.outcome import Options, Outcome, say
from tests.soak.steady import steady
from watcher.simulator.script import DialectName

SCENARIOS: Mapping[str, Callable[[Options], Awaitable[Outcome]]] = {
    "storm": crash_storm,
    "faults": faults,
    "steady": steady,
}


def main() -> int:
    """Run the scenarios that the command line names; return the exit code."""
    arguments = _arguments()
    say(f"seed {arguments.seed}")
    with ExitStack() as stack:
        server = stack.enter_context(postgresql()) if arguments.postgres else None
        outcomes = {}
        for name in arguments.scenarios or SCENARIOS:
            home = stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-"))
            options = Options(
                time=timedelta(minutes=arguments.minutes),
                kills=arguments.kills,
                jobs=arguments.jobs,
                seed=arguments.seed,
                kinds=arguments.kinds,
                url=server.new_database() if server else None,
                home=Path(home),
            )
            say(f"\n== {name}")
            outcomes[name] = asyncio.run(_run(name, options))
            say(str(outcomes[name]))
    return 0 if all(outcome.is_good for outcome in outcomes.values()) else 1


async def _run(name: str, options: Options) -> Outcome:
    return await SCENARIOS[name](options)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    names = ", ".join(SCENARIOS)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"one or more of {names}; default: all")
    parser.add_argument("--minutes", type=float, default=10, help="how long jobs change in each scenario at most")
    parser.add_argument("--kills", type=int, default=200, help="the number of kills of a storm")
    kinds = ",".join(MIXED_KINDS)
    parser.add_argument(
        "--kinds",
        type=_kinds,
        default=(),
        metavar="KIND,…",
        help=f"a storm over such services, by discovery: {kinds}",
    )
    parser.add_argument("--jobs", type=int, default=10_000, help="the number of jobs of the steady load")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same jobs, faults and kills")
    parser.add_argument("--postgres", action="store_true", help="use PostgreSQL instead of SQLite")
    arguments = parser.parse_args()
    if unknown := set(arguments.scenarios) - set(SCENARIOS):
        parser.error(f"unknown scenario: {', '.join(sorted(unknown))}; choose from {names}")
    return arguments


def _kinds(text: str) -> tuple[DialectName, ...]:
    return tuple(map(DialectName, text.split(",")))


if __name__ == "__main__":
    sys.exit(main())
