"""What every part of the pipeline is given besides its ports: time, chance, the log and the meter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from watcher.plugins import context

if TYPE_CHECKING:
    # What the meter is told of, and does not use: `watch` needs none of it.
    from watcher.domain.deliveries import Settlement
    from watcher.domain.polling_policy import PollOutcome
    from watcher.domain.transitions import Transition

Clock = context.Clock
"""Tells the time: aware, UTC."""
Jitter = Callable[[], float]
"""Tells a random number between -1 and 1."""
Log = context.Log
"""A structured log."""


class SecretiveLog(Log, Protocol):
    """A log that can be told a secret that it must not show."""

    def hide(self, secret: str) -> None:
        """Keep one more secret out of sight."""
        ...


class Telemetry(Protocol):
    """Counts and times what happens, for metrics."""

    def polled(self, source: str, outcome: PollOutcome, seconds: float) -> None:
        """Note a poll that came to its end."""
        ...

    def listed(self, source: str, jobs: int) -> None:
        """Note a reading of the list, and how many watched jobs it held."""
        ...

    def discovered(self, rule: str, jobs: int) -> None:
        """Note jobs that a rule of discovery has brought."""
        ...

    def moved(self, transition: Transition) -> None:
        """Note a transition that was recorded."""
        ...

    def attempted(self, settlement: Settlement, at: datetime) -> None:
        """Note what an attempt to deliver came to."""
        ...

    def stored(self, operation: str, seconds: float) -> None:
        """Note a transaction of the store that was committed."""
        ...

    def store_failed(self, operation: str) -> None:
        """Note a transaction of the store that failed."""
        ...


class NoTelemetry:
    """Counts nothing: for commands without metrics."""

    def polled(self, source: str, outcome: PollOutcome, seconds: float) -> None:
        """See `Telemetry`."""

    def listed(self, source: str, jobs: int) -> None:
        """See `Telemetry`."""

    def discovered(self, rule: str, jobs: int) -> None:
        """See `Telemetry`."""

    def moved(self, transition: Transition) -> None:
        """See `Telemetry`."""

    def attempted(self, settlement: Settlement, at: datetime) -> None:
        """See `Telemetry`."""

    def stored(self, operation: str, seconds: float) -> None:
        """See `Telemetry`."""

    def store_failed(self, operation: str) -> None:
        """See `Telemetry`."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where the world touches the pipeline besides its ports: time, chance, the log and the meter."""

    clock: Clock
    jitter: Jitter
    log: Log
    telemetry: Telemetry = field(default_factory=NoTelemetry)
    commit_retry_seconds: float = 1.0
    """How soon a commit that the store refused is tried again. The store itself has already waited when it was busy."""
    steady: Callable[[], float] = monotonic
    """Returns monotonic seconds, independent of the host's clock."""
    hide_secret: Callable[[str], None] = lambda _: None
    """Keeps a secret that was learned later, such as a renewed token, out of the log."""
