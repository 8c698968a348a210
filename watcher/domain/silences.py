"""Silences: a person mutes events for a while. They are recorded as muted, and can be listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from watcher.domain.durations import format_duration
from watcher.domain.events import Event, source_of

LONGEST_SILENCE = timedelta(days=365)
"""A silence that outlives who made it is a loss of alerts: each has an end."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Mutes the events that meet every condition given; without any, all."""

    name: str
    """What deliveries call it: its number in the store; `new` before it is there."""
    until: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    """The event must carry all of these. What is said of a source or a notifier carries none."""
    source: str | None = None
    """The event must be about this source, or a job of it."""
    reason: str | None = None
    """Why, in the words of who made it."""
    created_at: datetime | None = None
    created_by: str | None = None
    """Who made it, as far as that is known: the user of a command, or whom the page was asked by."""

    @property
    def title(self) -> str:
        """What it is called where it is a reason."""
        return f"silence {self.name}: {self.reason}" if self.reason else f"silence {self.name}"

    def mutes(self, event: Event, now: datetime) -> bool:
        """Return whether the event is muted now."""
        return (
            now < self.until
            and self.source in {None, source_of(event)}
            and all(event.labels.get(label) == value for label, value in self.labels.items())
        )


def first_that_mutes(event: Event, silences: Sequence[Silence], now: datetime) -> Silence | None:
    """Return the silence that an event is muted by; None: it is told."""
    return next((silence for silence in silences if silence.mutes(event, now)), None)


def silence_row(silence: Silence, now: datetime) -> dict[str, Any]:
    """Show a silence, for people and programs."""
    ends = f"in {format_duration(silence.until - now)}" if now < silence.until else "over"
    return {
        "id": int(silence.name),
        "labels": dict(silence.labels),
        "source": silence.source,
        "reason": silence.reason,
        "ends": ends,
        "until": silence.until.astimezone(UTC).isoformat(timespec="seconds"),
        "created_at": silence.created_at and silence.created_at.astimezone(UTC).isoformat(timespec="seconds"),
        "created_by": silence.created_by,
    }
