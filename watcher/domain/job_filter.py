"""Which of the watched jobs a person wants to see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from watcher.domain.states import JobState


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
