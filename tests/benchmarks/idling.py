"""What a service costs that has next to nothing to do: its start, and its memory."""

from __future__ import annotations

import time

from tests.benchmarks.processes import LATENCY_SECONDS, Setup, api, cpu_seconds, resident_megabytes, until, watcher
from tests.benchmarks.results import Table, Target, verdict

SETTLING_SECONDS = 5.0


def table(rounds: int) -> Table:
    """Watch one job."""
    sample()  # writes the bytecode
    runs = [sample() for _ in range(rounds)]
    verdicts = [
        verdict("one job: `run` to its first poll", [first for first, _, _ in runs], Target(0.5, "s"), 2),
        verdict("one job: memory", [memory for _, memory, _ in runs], Target(50, "MB")),
    ]
    share = verdict("one job every 30 s: share of a core", [share for _, _, share in runs], Target(1, "%"), 2)
    return Table(
        "One job, with a new store",
        ("", "", "target", "met"),
        [*verdicts, [*share[:2], "", ""]],
        "Memory and share of a core when nothing is due.",
        verdicts,
    )


def sample() -> tuple[float, float, float]:
    """Return the seconds to the first poll, the memory in MB, and the share of a core in %, once all is quiet."""
    with api("--latency", str(LATENCY_SECONDS), "--jobs", "1") as each:
        begin = time.monotonic()
        with watcher(Setup(1, "30s"), each.base_url) as pid:
            until(lambda: each.tally().seen > 0, "the first poll")
            first = time.monotonic() - begin - LATENCY_SECONDS
            time.sleep(1)
            cpu = cpu_seconds(pid)
            time.sleep(SETTLING_SECONDS)
            return first, resident_megabytes(pid), (cpu_seconds(pid) - cpu) / SETTLING_SECONDS * 100
