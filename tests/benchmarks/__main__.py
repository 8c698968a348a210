"""Runs the benchmarks, and keeps the results of a full run in RESULTS.md.

To add one, write a module with a function that takes the number of rounds and returns a `results.Table`, and name it
in BENCHMARKS.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from tests.benchmarks import crowded, delivering, idling, many, policies, polling, recording, scheduling, starting, year
from tests.benchmarks.results import RESULTS, Table, heading, summary

ROUNDS = 2
"""A full run takes about eleven minutes then."""

Rows = tuple[list[str], list[list[str]]]


def main() -> None:
    """Run what was chosen."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often each is run (default: {ROUNDS})")
    given = parser.parse_args()
    head, tables = heading(given.rounds), list[Table]()
    _print(head)
    for name in given.only or BENCHMARKS:
        tables.append(BENCHMARKS[name](given.rounds))
        _print(tables[-1].text())
    _print(summary(tables).text())
    if not given.only:
        RESULTS.write_text("\n".join([head, *(table.text() for table in (summary(tables), *tables))]))


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _simulated(title: str, table: Callable[[], Rows]) -> Callable[[int], Table]:
    """Take what a simulation says, which is the same in every round."""

    def run(_rounds: int) -> Table:
        return Table(title, *table())

    return run


BENCHMARKS: dict[str, Callable[[int], Table]] = {
    "poll": polling.cost,
    "rest": scheduling.table,
    "rate": polling.rate,
    "list": many.table,
    "start": starting.table,
    "idle": idling.table,
    "deliver": delivering.table,
    "throughput": delivering.throughput,
    "record": recording.table,
    "crowded": crowded.table,
    "doors": polling.doors,
    "policies": _simulated("Polling policies, simulated", policies.table),
    "year": _simulated("The store over a simulated year", year.table),
}

if __name__ == "__main__":
    main()
