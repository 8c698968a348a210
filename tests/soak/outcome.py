"""The options of a scenario, its outcome, and its progress while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic

from tests.evidence.report import Report
from watcher.simulator.script import DialectName


@dataclass(frozen=True)
class Options:
    """The options of a scenario."""

    time: timedelta
    """How long jobs change at most; pending deliveries are still delivered afterwards."""
    kills: int
    """The number of kills of a storm, if the time suffices."""
    jobs: int
    """The number of jobs of the steady load."""
    seed: int
    url: str | None
    """The URL of the database; None: an SQLite file in the home."""
    kinds: Sequence[DialectName]
    """The kinds of services of a storm, whose jobs rules of discovery find; none: OpenAI's, whose jobs are named."""
    home: Path
    """A directory for the watcher's home. Each scenario makes its own directories in it."""


@dataclass
class Outcome:
    """The outcome of a scenario."""

    report: Report = field(default_factory=Report)
    facts: dict[str, str] = field(default_factory=dict)
    """Measured values, by name."""
    problems: list[str] = field(default_factory=list)
    """What went wrong beside the findings of the report."""

    @property
    def is_good(self) -> bool:
        """Whether nothing went wrong, and at least one transition was expected."""
        return not self.report.findings and not self.problems and self.report.expected > 0

    def __str__(self) -> str:
        """Return it as a table."""
        facts = [f"{name:<24}{fact}" for name, fact in self.facts.items()]
        return "\n".join([self.report.table(), *facts, *(f"PROBLEM: {problem}" for problem in self.problems)])


class Progress:
    """Prints the progress at intervals."""

    def __init__(self, every: timedelta = timedelta(seconds=10)) -> None:
        self._every = every.total_seconds()
        self._started = monotonic()
        self._next = self._started

    @property
    def elapsed(self) -> timedelta:
        """The time since the start."""
        return timedelta(seconds=monotonic() - self._started)

    def say(self, **facts: object) -> None:
        """Print the facts, unless the interval since the last time has not passed."""
        if monotonic() < self._next:
            return
        self._next = monotonic() + self._every
        text = "  ".join(f"{name} {fact}" for name, fact in facts.items())
        say(f"{self.elapsed.total_seconds():7.0f} s  {text}")


def say(text: str) -> None:
    """Print a line."""
    print(text, flush=True)  # noqa: T201 - output of a command
