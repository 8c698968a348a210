"""What reconciling came to: numbers, every flaw by name, and a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

SHOWN = 25
"""How many flaws a failure lists."""
_BOOKS = ("expected", "recorded", "delivered", "repeated")


class Flaw(StrEnum):
    """What must never happen."""

    LOST = "lost"
    """A transition that should have been recorded was not, or one that was recorded was never accepted."""
    FALSE = "false"
    """The record or a message tells of what did not happen, or not so."""
    TWIN = "twin"
    """The same transition was told under two ids."""
    OUT_OF_ORDER = "out of order"
    """A receiver heard of a job's later transition first."""
    UNSETTLED = "unsettled"
    """The record does not say `delivered` of what is owed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One flaw, and where."""

    flaw: Flaw
    job: str
    words: str

    def __str__(self) -> str:
        """Return it as a line."""
        return f"{self.flaw}: {self.job}: {self.words}"


@dataclass(slots=True)
class Tally:
    """The books of one run."""

    expected: int = 0
    """Transitions that the watcher had to see."""
    recorded: int = 0
    delivered: int = 0
    """Messages accepted, each once for each notifier."""
    repeated: int = 0
    """Messages accepted once more under the same id, which a receiver can tell: at least once means that."""
    findings: list[Finding] = field(default_factory=list)

    def note(self, flaw: Flaw, job: str, words: str) -> None:
        """Note a flaw."""
        self.findings.append(Finding(flaw, job, words))

    def count(self, flaw: Flaw) -> int:
        """Count the flaws of a kind."""
        return Counter(finding.flaw for finding in self.findings)[flaw]

    def add(self, other: Tally) -> None:
        """Add the books of another run."""
        for name in _BOOKS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.findings += other.findings

    def rows(self) -> Sequence[tuple[str, int]]:
        """Return what the table shows."""
        return [*((name, getattr(self, name)) for name in _BOOKS), *((str(flaw), self.count(flaw)) for flaw in Flaw)]

    def table(self) -> str:
        """Return the books as a table, and the flaws below it."""
        lines = [f"{name:<14}{number:>8}" for name, number in self.rows()]
        lines += [str(finding) for finding in self.findings[:SHOWN]]
        if len(self.findings) > SHOWN:
            lines.append(f"… and {len(self.findings) - SHOWN} more")
        return "\n".join(lines)

    def check(self, note: str = "") -> None:
        """Fail if there is any flaw, or nothing to judge by; `note` says how to see it again (the seed)."""
        assert not self.findings, f"{note}\n{self.table()}"
        assert self.expected, f"{note}\nnothing was expected, so nothing was shown"
