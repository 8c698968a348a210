"""What the polling policy is worth, by simulation: `python -m tests.benchmarks.policies`.

What counts is the product of the requests and the delay after which the end of a job is found: asking half as often
makes the delay twice as long, and leaves the product as it is. Errors of estimates are standard deviations.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context

from tests.benchmarks.following import Case, Toll, adaptive, fixed, p95_of_fixed
from tests.benchmarks.lives import ALIKE, ALL_KINDS, LATE, Life


def off_by(deviation: float) -> Callable[[Life], float]:
    """Return estimates whose errors have this standard deviation."""
    return lambda life: max(1 + deviation * life.luck, 0.05)


CASES = (
    Case("no estimate"),
    Case("estimate exact", lambda _: 1.0, target=0.6),
    Case("estimate ±10 %", off_by(0.1), target=0.6),
    Case("estimate ±20 %", off_by(0.2), target=0.6),
    Case("estimate ±50 %", off_by(0.5)),
    Case("estimate always 0.3 x", lambda _: 0.3),
    Case("estimate always 3 x", lambda _: 3.0),
    Case("progress", looks=True, target=0.6),
    Case("progress, estimate always 0.3 x", lambda _: 0.3, looks=True),
    Case("progress, first seen late", looks=True, population=LATE),
    Case("estimate ±20 %, first seen late", off_by(0.2), population=LATE),
    Case("earlier jobs, alike", remembers=True, population=ALIKE, target=0.6),
    Case("earlier jobs, of all kinds", remembers=True),
)

HEADER = ["policy", "what is known", "requests", "mean delay", "p95", "product", "target", "p95, equal requests", "met"]
SLACK = 0.02
"""What chance makes of a ratio: so far may it be above its target."""


def table() -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the table."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as processes:
        return HEADER, list(processes.map(_row, range(len(_ROWS))))


_HEADLINE = next(case for case in CASES if case.name == "estimate ±20 %")
_ROWS: list[tuple[int, Case | None]] = [
    *((seconds, None) for seconds in (10, 30, 60)),
    *((30, case) for case in CASES),
    *((seconds, _HEADLINE) for seconds in (10, 60)),
]
"""The intervals, in seconds, and the cases that are simulated; None: the fixed policy."""


def _row(number: int) -> list[str]:
    seconds, case = _ROWS[number]
    return _adaptive_row(seconds, case) if case else _fixed_row(seconds)


def _fixed_row(seconds: int) -> list[str]:
    toll = fixed(timedelta(seconds=seconds), ALL_KINDS)
    return [f"fixed {seconds} s", "", *_figures(toll), "1.00", "", "1.00", ""]


def _adaptive_row(seconds: int, case: Case) -> list[str]:
    interval = timedelta(seconds=seconds)
    toll = adaptive(interval, case)
    product = toll.product / fixed(interval, case.population).product
    p95 = toll.p95 / p95_of_fixed(toll.mean_requests, case.population)
    is_met = product <= case.target + SLACK and p95 <= 1 + SLACK
    target = f"<= {case.target:.2f}"
    return [
        f"adaptive {seconds} s",
        case.name,
        *_figures(toll),
        f"{product:.2f}",
        target,
        f"{p95:.2f}",
        "yes" if is_met else "no",
    ]


def _figures(toll: Toll) -> list[str]:
    return [f"{toll.mean_requests:.1f}", f"{toll.mean_delay:.1f} s", f"{toll.p95:.0f} s"]


def main() -> None:
    """Print the table."""
    header, rows = table()
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in [header, *rows]:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")


if __name__ == "__main__":
    main()
