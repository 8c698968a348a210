"""From the answer that tells of a change to the event at its receiver."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from tests.benchmarks.processes import Setup, api, until, watcher
from tests.benchmarks.results import Table, Target, spread

JOBS = 200
CHANGES_PER_SECOND = 100
WARM_UP_SECONDS = 5.0
MEASURED_SECONDS = 20.0
P99 = 98
"""Where `statistics.quantiles` of a hundred keeps it."""


def table(rounds: int) -> Table:
    """Measure the delay of events while many jobs change."""
    runs = [delays() for _ in range(rounds)]
    medians = [statistics.median(run) * 1000 for run in runs]
    p99s = [statistics.quantiles(run, n=100)[P99] * 1000 for run in runs]
    return Table(
        f"Detection to receiver, {CHANGES_PER_SECOND} transitions a second",
        ("", "ms", "target", "met"),
        [
            ["median", spread(medians, 1), *Target(20, "ms").judged(statistics.median(medians))],
            ["p99", spread(p99s, 1), *Target(50, "ms").judged(statistics.median(p99s))],
            ["longest", spread([max(run) * 1000 for run in runs], 1), "", ""],
            ["events measured", spread([float(len(run)) for run in runs]), "", ""],
        ],
        f"`watcher run` polls {JOBS} jobs a second, each change is committed to SQLite (synchronous=FULL) and posted to"
        " a webhook. Time runs from the API's writing of the answer that first tells of a change to the receiver's"
        " reading of the event.",
    )


def delays() -> Sequence[float]:
    """Run the watcher against jobs that change; return the seconds that each event took."""
    with api("--jobs", str(JOBS), "--changes", str(CHANGES_PER_SECOND)) as each:
        notifiers = f'[notifiers.hook]\nkind = "webhook"\nurl = "{each.address}/hook"\n'
        with watcher(Setup(JOBS, "1s", notifiers=notifiers), each.base_url):
            until(lambda: each.tally().seen == JOBS, "the first poll of each job")
            time.sleep(WARM_UP_SECONDS)
            each.tally()
            time.sleep(MEASURED_SECONDS)
            return each.tally().delays
