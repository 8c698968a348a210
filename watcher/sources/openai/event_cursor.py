"""Where the reading of a job's events stands, as the text that is kept between two questions."""

from __future__ import annotations

from dataclasses import dataclass

from watcher.domain.jobs import is_job_id

_NONE = "-"


@dataclass(frozen=True, slots=True)
class EventCursor:
    """Which events are known. The list begins with the newest event, or with the oldest one, and pages go on behind an
    event; so what is new lies before the newest known event, or behind it.
    """

    newest: str | None = None
    """The id of the newest event known."""
    behind: str | None = None
    """The event behind which the next page begins; None for the first page."""
    until: str | None = None
    """What lies behind this event was read earlier."""
    wants_checkpoints: bool = False
    """Whether the next question is for the checkpoints: an event spoke of them."""

    @classmethod
    def read(cls, text: str | None) -> EventCursor:
        """Read what `str` has written. What it has not written is the beginning."""
        parts = (text or "").split(" ")
        if len(parts) != 4 or not all(map(is_job_id, parts)):
            return cls()
        newest, behind, until = (None if part == _NONE else part for part in parts[:3])
        return cls(newest, behind, until, parts[3] == "checkpoints")

    def __str__(self) -> str:
        """Write it."""
        ids = (part or _NONE for part in (self.newest, self.behind, self.until))
        return " ".join((*ids, "checkpoints" if self.wants_checkpoints else "events"))
