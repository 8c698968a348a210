"""Ten thousand jobs, every ten seconds, by list pages: processor time and memory."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.polling import CONCURRENCY, cpu_of_loop
from tests.benchmarks.processes import (
    LATENCY_SECONDS,
    Setup,
    SourceClient,
    api,
    cpu_seconds,
    process,
    resident_megabytes,
    until,
    watcher,
)
from tests.benchmarks.results import Table, Target, spread, verdict

JOBS = 10_000
INTERVAL_SECONDS = 10
SCANS_MEASURED = 3
QUIET_SECONDS = 1.0
"""How long nothing is asked for between two scans, which take some three seconds."""
PAGE = 100
SDK_SECONDS = 6.0


@dataclass(frozen=True)
class Sample:
    """What one run came to."""

    first_poll_seconds: float
    core_share: float
    microseconds: float
    """Processor time of a look at a job."""
    requests_a_second: float
    megabytes: float


def table(rounds: int) -> Table:
    """Watch many jobs, beside the SDK that retrieves or lists them."""
    samples, retrieving, listing = [], [], []
    for _ in range(rounds):
        samples.append(sample())
        retrieving.append(cpu_of_loop("sdk over aiohttp", CONCURRENCY))
        listing.append(cpu_of_listing())
    looks = [each.microseconds for each in samples]
    sdk = statistics.median(retrieving)
    shares, megabytes = [each.core_share * 100 for each in samples], [each.megabytes for each in samples]
    first_polls = [each.first_poll_seconds for each in samples]
    return Table(
        f"{JOBS:,} jobs every {INTERVAL_SECONDS} s by list pages",
        ("", "", "target", "met"),
        [
            _row("share of a core, %", shares, 1, Target(3, "%")),
            _row("µs a look at a job", looks, 1),
            _row("openai SDK over aiohttp, retrieving: µs a job", retrieving, 0),
            _row("openai SDK, reading list pages: µs a job", listing, 0),
            _row("ours is … x of the retrieving SDK", [look / sdk for look in looks], 3, Target(0.05)),
            _row("requests a second", [each.requests_a_second for each in samples], 1),
            _row("memory, MB", megabytes, 0, Target(80, "MB")),
            _row("first poll after, s", first_polls, 1, Target(1.5, "s")),
        ],
        f"Each answer takes 100 ms; a page holds {PAGE} jobs. Each job has been retrieved once when measuring begins.",
        [
            verdict(f"{JOBS:,} jobs every {INTERVAL_SECONDS} s: share of a core", shares, Target(3, "%"), 1),
            verdict(f"{JOBS:,} jobs: `run` to its first poll", first_polls, Target(1.5, "s"), 2),
            verdict(f"{JOBS:,} jobs: memory", megabytes, Target(80, "MB")),
        ],
    )


def _row(name: str, figures: Sequence[float], digits: int, target: Target | None = None) -> list[str]:
    return [name, spread(figures, digits), *(target.judged(statistics.median(figures)) if target else ("", ""))]


def sample() -> Sample:
    """Run the watcher over some intervals, once it knows every job."""
    setup = Setup(JOBS, f"{INTERVAL_SECONDS}s", strategy="auto")
    with api("--latency", str(LATENCY_SECONDS), "--jobs", str(JOBS)) as each:
        begin = time.monotonic()
        with watcher(setup, each.base_url) as pid:
            until(lambda: each.tally().seen > 0, "the first poll")
            first_poll = time.monotonic() - begin
            until(lambda: each.tally().seen == JOBS, "the first poll of each job")
            time.sleep(INTERVAL_SECONDS)
            requests_of_a_scan(each)
            cpu, begin = cpu_seconds(pid), time.monotonic()
            requests = sum(requests_of_a_scan(each) for _ in range(SCANS_MEASURED))
            cpu, seconds = cpu_seconds(pid) - cpu, time.monotonic() - begin
            looks = JOBS * SCANS_MEASURED
            return Sample(first_poll, cpu / seconds, cpu / looks * 1e6, requests / seconds, resident_megabytes(pid))


def requests_of_a_scan(server: SourceClient) -> int:
    """Wait until all jobs were looked at once more, and it is quiet again; return how many requests that took."""
    requests, pages, is_over = 0, 0, False
    while not is_over:
        time.sleep(QUIET_SECONDS)
        tally = server.tally()
        requests, pages = requests + tally.pages + tally.retrieved, pages + tally.pages
        is_over = pages > 0 and tally.pages == tally.retrieved == 0
    return requests


def cpu_of_listing() -> float:
    """Return the microseconds of processor time that a job costs the SDK when it reads the list."""
    with api("--jobs", str(JOBS)) as each:
        command = [sys.executable, "-m", "tests.benchmarks.loops", "sdk list", each.base_url, "1"]
        with process(command) as running:
            until(lambda: each.tally().pages > 0, "the first page")
            each.tally()
            cpu = cpu_seconds(running.pid)
            time.sleep(SDK_SECONDS)
            return (cpu_seconds(running.pid) - cpu) / (each.tally().pages * PAGE) * 1e6
