"""Which of the watched jobs a person wants to see, and those that were found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watcher.domain.jobs import Job, JobKey
from watcher.domain.states import JobState
from watcher.domain.telemetry import TRAIN_LOSS, MetricPoint


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Jobs that meet every condition given; without any, all."""

    source: str | None = None
    state: JobState | None = None
    label: tuple[str, str] | None = None
    """The name and the value of a label."""
    text: str | None = None
    """A part of the id or of the name."""

    @property
    def is_empty(self) -> bool:
        """Whether every job passes."""
        return self == JobFilter()


@dataclass(frozen=True, slots=True)
class Concerns:
    """What makes a watched job need a person, besides that its source does not know it."""

    failed_since: datetime
    """Jobs that have failed since then; what failed earlier has been seen."""
    stuck_since: Mapping[str, datetime]
    """Jobs that have been in a status, or a state, since before a moment."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of each part is wanted."""

    in_trouble: int
    page: int
    """Of what is under way, or found."""
    ended: int
    points: int
    """Of each job that runs, spread evenly over its steps."""
    series: str = TRAIN_LOSS


@dataclass(frozen=True, slots=True)
class Overview:
    """Jobs, and how all of them stand, read in one transaction: each costs a server several exchanges."""

    counts: Mapping[JobState | None, int]
    """The watched jobs by state; None stands for those that were not seen yet."""
    dead: int
    """Deliveries that were given up and that nobody has discarded."""
    page: Sequence[Job]
    """What is under way, those that run first; or what passes the filter."""
    losses: Mapping[JobKey, Sequence[MetricPoint]]
    """Points of each job that runs and has any."""
    in_trouble: Sequence[Job] = ()
    """Those that need a person, the latest first."""
    ended: Sequence[Job] = ()
    """Without those that failed lately, the latest first."""
