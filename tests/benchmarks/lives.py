"""Lives of fine-tuning jobs, made up by seed so that they look like real ones."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from watcher.domain.jobs import Progress
from watcher.domain.states import Status

SEED = 20_261_124
BIRTH = datetime(2026, 1, 1, tzinfo=UTC)
"""When every life begins."""
_MEDIAN_RUN = timedelta(minutes=52)
"""With validation and queue this makes a median life of about 54 minutes."""
_FAIL_VALIDATION, _FAIL_RUNNING, _ARE_CANCELLED = 0.03, 0.06, 0.05
"""The shares of jobs that end otherwise than by success."""
_LONG_QUEUE = 0.1
"""The share of jobs that queue for minutes, and not for seconds."""


@dataclass(frozen=True, slots=True)
class Life:
    """What happens to one job."""

    stays: tuple[tuple[str, datetime], ...]
    """The statuses before the last one, each with the moment it ends."""
    outcome: str
    """The status it ends in."""
    planned_finish: datetime
    """When it would succeed, if nothing came in between: what estimates are about."""
    luck: float
    """How far off an estimate is, in standard deviations."""
    added_at: datetime
    """When it is added."""
    steps: int
    unevenness: float
    """The share of its steps by which it is ahead of time or behind, at most."""
    start_up: float
    """The share of the run before the first step."""
    wind_up: float
    """The share of the run after the last step."""

    @property
    def end(self) -> datetime:
        """When the job ends."""
        return self.stays[-1][1]

    @property
    def running_since(self) -> datetime:
        """When it runs, if it comes to that."""
        return self.stays[-2][1] if len(self.stays) > 1 else self.end

    def status_at(self, now: datetime) -> str:
        """Return the status that the API shows."""
        for status, end in self.stays:
            if now < end:
                return status
        return self.outcome

    def estimate(self, factor: float) -> datetime:
        """Return an estimate of its finish that is off by a factor of the run's length."""
        return self.running_since + (self.planned_finish - self.running_since) * factor

    def progress_at(self, now: datetime) -> Progress | None:
        """Return what the newest metrics event says; None before the first step."""
        run = (now - self.running_since) / (self.planned_finish - self.running_since)
        done = (run - self.start_up) / (1 - self.start_up - self.wind_up)
        step = int((done + self.unevenness * math.sin(math.tau * done)) * self.steps)
        return Progress(min(step, self.steps), self.steps, now) if step > 0 else None


@dataclass(frozen=True, slots=True)
class Population:
    """Many jobs, and how they are come upon."""

    spread: float = 0.8
    """The standard deviation of the logarithm of a run's length. With 0.8 one in a hundred takes over five hours."""
    is_late: bool = False
    """Whether jobs are first watched anywhere in their lives, and not within their first minute."""
    count: int = 2_000

    @property
    def seconds_watched(self) -> float:
        """How long a job is watched, in the mean."""
        return statistics.fmean((life.end - life.added_at).total_seconds() for life in lives(self))


ALL_KINDS = Population()
ALIKE = Population(spread=0.1)
"""One kind of job, done again and again."""
LATE = Population(is_late=True)


@cache
def lives(population: Population) -> Sequence[Life]:
    """Make up the lives of a population."""
    chance = random.Random(SEED)
    return [_life(chance, population) for _ in range(population.count)]


def _life(chance: random.Random, population: Population) -> Life:
    validated_at = BIRTH + timedelta(seconds=40) * chance.lognormvariate(0, 0.6)
    running_since = validated_at + _queue(chance)
    run = _MEDIAN_RUN * chance.lognormvariate(0, population.spread)
    share, outcome = _fate(chance)
    stays: tuple[tuple[str, datetime], ...] = ((Status.VALIDATING_FILES, validated_at),)
    if share:
        stays += ((Status.QUEUED, running_since), (Status.RUNNING, running_since + run * share))
    late = chance.random()
    return Life(
        stays=stays,
        outcome=outcome,
        planned_finish=running_since + run,
        luck=chance.normalvariate(),
        added_at=BIRTH + ((stays[-1][1] - BIRTH) * late if population.is_late else timedelta(minutes=late)),
        steps=chance.randint(50, 2000),
        unevenness=chance.uniform(-0.02, 0.02),
        start_up=chance.uniform(0, 0.08),
        wind_up=chance.uniform(0, 0.06),
    )


def _queue(chance: random.Random) -> timedelta:
    if chance.random() < _LONG_QUEUE:
        return timedelta(minutes=5) * chance.lognormvariate(0, 0.8)
    return timedelta(seconds=3) * chance.lognormvariate(0, 0.5)


def _fate(chance: random.Random) -> tuple[float, str]:
    """Return the share of its run that a job lives to see, and what it ends in. Most failures come early."""
    fate = chance.random()
    if fate < _FAIL_VALIDATION:
        return 0.0, Status.FAILED
    if fate < _FAIL_VALIDATION + _FAIL_RUNNING:
        return (1 - chance.random()) ** 2, Status.FAILED
    if fate < _FAIL_VALIDATION + _FAIL_RUNNING + _ARE_CANCELLED:
        return 1 - chance.random(), Status.CANCELLED
    return 1.0, Status.SUCCEEDED
