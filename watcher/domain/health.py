"""How the running service stands at one moment: what probes, metrics, the service manager and the heartbeat read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.domain.conditions import Health

SILENT_WAITS = 3
"""A service that polls and had no answer for this many of its longest waits sees nothing."""


@dataclass(frozen=True, slots=True)
class DiscoveryHealth:
    """What a rule of discovery has found."""

    rule: str
    source: str
    adopted: int
    """How many jobs it has brought since the start, or the last reload."""
    scanned_at: datetime | None
    """When the list of its source was last read as far as it had to be; None: not yet."""


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """How the running pipeline stands, and what it is configured to reach."""

    since: datetime
    """When it began: at the start, or at the last reload."""
    longest_wait: timedelta
    """The longest time between two polls of a job."""
    stalled: Sequence[str]
    """The loops that make no progress."""
    watched: int
    """How many jobs are being polled."""
    last_answers: Mapping[str, datetime | None]
    """When each configured source last answered a poll."""
    rejections: Mapping[str, str | None]
    """Why a source refuses the watcher, for those that do."""
    notifiers: Collection[str]
    """The configured notifiers."""
    store_error: str | None
    """Why the store could not be read or written the last time; None while it can."""
    has_condition: bool
    """Whether a source or a notifier is in a condition that was reported."""
    sources: Sequence[Health] = ()
    """How each source has been answering."""
    receivers: Sequence[Health] = ()
    """How each notifier's receiver has been answering."""
    stuck: str | None = None
    """What cannot be recorded although the store can be written; None if there is nothing."""
    discovery: Sequence[DiscoveryHealth] = ()
    """What each rule of discovery has found."""

    @property
    def is_well(self) -> bool:
        """Whether the watcher sees, records and can speak."""
        return not (self.stalled or self.store_error or self.stuck or self.has_condition)

    @property
    def silence_limit(self) -> timedelta:
        """How long all sources together may give no answer before the watcher counts as blind."""
        return SILENT_WAITS * self.longest_wait

    def is_blind(self, now: datetime) -> bool:
        """Return whether jobs are polled and no source has answered within the limit."""
        signs = [self.since, *(answer for answer in self.last_answers.values() if answer)]
        return self.watched > 0 and max(signs) < now - self.silence_limit
