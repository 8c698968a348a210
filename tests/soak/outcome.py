"""What a scene is asked for, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic

from tests.evidence.tally import Tally


@dataclass(frozen=True)
class Wish:
    """What somebody wants to see."""

    time: timedelta
    """How long jobs move at most; what is owed then is still delivered."""
    kills: int
    """How many kills a storm makes, if there is time for so many."""
    jobs: int
    """How many jobs are watched under a steady load."""
    seed: int
    url: str | None
    """The record; None for an SQLite file in the home."""
    home: Path
    """Where the watcher lives. Each scene makes directories of its own in it."""


@dataclass
class Outcome:
    """What came of it."""

    tally: Tally = field(default_factory=Tally)
    facts: dict[str, str] = field(default_factory=dict)
    """What else is worth knowing."""
    complaints: list[str] = field(default_factory=list)
    """What else is wrong."""

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong, and something was shown."""
        return not self.tally.findings and not self.complaints and self.tally.expected > 0

    def __str__(self) -> str:
        """Return it as a table."""
        facts = [f"{name:<22}{fact}" for name, fact in self.facts.items()]
        return "\n".join([self.tally.table(), *facts, *(f"WRONG: {complaint}" for complaint in self.complaints)])


class Progress:
    """Says now and then how far it is."""

    def __init__(self, every: timedelta = timedelta(seconds=10)) -> None:
        self._every = every.total_seconds()
        self._begun = monotonic()
        self._next = self._begun

    @property
    def elapsed(self) -> timedelta:
        """How long it has gone on."""
        return timedelta(seconds=monotonic() - self._begun)

    def say(self, **facts: object) -> None:
        """Say it, unless that was just done."""
        if monotonic() < self._next:
            return
        self._next = monotonic() + self._every
        words = "  ".join(f"{name} {fact}" for name, fact in facts.items())
        say(f"{self.elapsed.total_seconds():7.0f} s  {words}")


def say(text: str) -> None:
    """Write a line for whoever has started this."""
    print(text, flush=True)  # noqa: T201 - a command tells its user
