"""Which of the watched jobs a person wants to see."""

from __future__ import annotations

from dataclasses import dataclass

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
