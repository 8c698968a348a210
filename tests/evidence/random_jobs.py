"""Scripts of jobs drawn by a seeded random generator: the same seed gives the same jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import cycle
from random import Random

from watcher.simulator.script import JobScript, Step

STATUS_PATHS: Sequence[tuple[str, ...]] = (
    ("validating_files", "queued", "running", "succeeded"),
    ("validating_files", "queued", "running", "failed"),
    ("validating_files", "failed"),
    ("queued", "running", "cancelled"),
    ("validating_files", "queued", "running", "paused", "queued", "running", "succeeded"),
    ("queued", "loading_dataset", "running", "saving", "succeeded"),
)
"""The sequences of statuses that a job may pass: some go backwards, some contain undocumented statuses."""


def random_jobs(random: Random, count: int, span: timedelta, prefix: str = "ftjob") -> tuple[JobScript, ...]:
    """Return jobs on random paths that end within the span; some statuses last for a very short time."""
    return tuple(
        JobScript(
            f"{prefix}-{job:05}", random_steps(random, random.choice(STATUS_PATHS), random.uniform(0.3, 1) * span)
        )
        for job in range(count)
    )


def random_steps(random: Random, statuses: Sequence[str], span: timedelta) -> tuple[Step, ...]:
    """Return steps of random lengths through the statuses; the last step begins after the span."""
    weights = [random.expovariate(1) for _ in statuses[:-1]]
    steps = [
        Step(status, lasts=span * (weight / sum(weights)))
        for status, weight in zip(statuses[:-1], weights, strict=True)
    ]
    return (*steps, Step(statuses[-1]))


def alternating_jobs(random: Random, ids: Sequence[str], *seconds: tuple[float, float]) -> list[JobScript]:
    """Return jobs that alternate between queued and running, then succeed.

    Each pair of `seconds` is the shortest and the longest time of one status.
    """
    return [
        JobScript(
            job,
            (
                *(
                    Step(status, lasts=timedelta(seconds=random.uniform(*bounds)))
                    for status, bounds in zip(cycle(("queued", "running")), seconds, strict=False)
                ),
                Step("succeeded"),
            ),
        )
        for job in ids
    ]
