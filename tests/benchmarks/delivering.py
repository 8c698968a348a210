"""From the answer that tells of a change to the event at its receiver; how many events a second are delivered."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.polling import interleaved
from tests.benchmarks.processes import Setup, api, until, watcher
from tests.benchmarks.recording import change_of, new_jobs
from tests.benchmarks.results import Table, Target, spread, verdict
from watcher.store.sql import SqlStore

JOBS = 200
CHANGES_PER_SECOND = 100
WARM_UP_SECONDS = 4.0
MEASURED_SECONDS = 12.0
P99 = 98
"""Where `statistics.quantiles` of a hundred keeps it."""
OWED = 3_000
"""Deliveries, by all notifiers together."""
HOOKS = 20


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
        [
            verdict("detection to receiver, median", medians, Target(20, "ms"), 1),
            verdict("detection to receiver, p99", p99s, Target(50, "ms"), 1),
        ],
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


def throughput(rounds: int) -> Table:
    """Measure how fast what is owed is delivered, to one webhook and to several."""
    figures = interleaved({str(hooks): partial(deliveries_a_second, hooks) for hooks in (1, HOOKS)}, rounds)
    target = Target(1000, "/s", is_minimum=True)
    return Table(
        "Deliveries a second",
        ("webhooks", "deliveries/s", "target", "met"),
        [[hooks, spread(each), *target.judged(statistics.median(each))] for hooks, each in figures.items()],
        f"{OWED:,} events are owed when `watcher run` starts, in equal parts to all webhooks, and posted to receivers"
        " that answer at once. Time runs from the first to the last.",
        [verdict(f"deliveries a second to {hooks} webhooks in all", each, target) for hooks, each in figures.items()],
    )


def deliveries_a_second(hooks: int) -> float:
    """Let the watcher deliver what is owed."""
    names = [f"hook-{number}" for number in range(hooks)]
    with TemporaryDirectory() as directory, api() as each:
        asyncio.run(_owe(f"sqlite:///{Path(directory) / 'watcher.db'}", names))
        notifiers = "".join(f'[notifiers.{name}]\nkind = "webhook"\nurl = "{each.address}/count"\n' for name in names)
        with watcher(Setup(1, "10s", notifiers=notifiers), each.base_url, directory):
            came: list[float] = []

            def have_come() -> bool:
                came.extend(each.tally().counted)
                return len(came) >= OWED

            until(have_come, "the deliveries")
            return len(came) / (came[-1] - came[0])


async def _owe(url: str, names: Sequence[str]) -> None:
    async with SqlStore(url) as store:
        jobs = await new_jobs(store, OWED // len(names))
        assert not await store.record([change_of(job, "running", datetime.now(UTC), names) for job in jobs])
