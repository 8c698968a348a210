"""The result of reconciling: counts, and every deviation by its kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

FINDINGS_SHOWN = 25
"""How many findings a failure lists."""
_COUNTS = ("expected", "recorded", "delivered", "repeated")


class FindingKind(StrEnum):
    """A deviation that must never happen."""

    LOST = "lost"
    """A transition that should have been recorded was not, or a recorded one was never accepted."""
    FALSE = "false"
    """The database or a message contains something that did not happen."""
    TWO_IDS = "two ids"
    """The same transition was delivered under two ids."""
    OUT_OF_ORDER = "out of order"
    """A receiver accepted a job's later transition before an earlier one."""
    UNSETTLED = "unsettled"
    """A delivery is not in the state `delivered`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One deviation, and its job."""

    kind: FindingKind
    job: str
    text: str

    def __str__(self) -> str:
        """Return it as a line."""
        return f"{self.kind}: {self.job}: {self.text}"


@dataclass(slots=True)
class Report:
    """The result of one run."""

    expected: int = 0
    """Transitions that the watcher had to record."""
    recorded: int = 0
    delivered: int = 0
    """Distinct events accepted, summed over the notifiers."""
    repeated: int = 0
    """Messages accepted again under the same id: at-least-once delivery permits them."""
    findings: list[Finding] = field(default_factory=list)

    def add_finding(self, kind: FindingKind, job: str, text: str) -> None:
        """Add one deviation."""
        self.findings.append(Finding(kind, job, text))

    def count(self, kind: FindingKind) -> int:
        """Count the findings of a kind."""
        return Counter(finding.kind for finding in self.findings)[kind]

    def add(self, other: Report) -> None:
        """Add the result of another run."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.findings += other.findings

    def rows(self) -> Sequence[tuple[str, int]]:
        """Return the rows of the table."""
        counts = [(name, getattr(self, name)) for name in _COUNTS]
        return [*counts, *((str(kind), self.count(kind)) for kind in FindingKind)]

    def table(self) -> str:
        """Return the counts as a table, and the findings below it."""
        lines = [f"{name:<14}{number:>8}" for name, number in self.rows()]
        lines += [str(finding) for finding in self.findings[:FINDINGS_SHOWN]]
        if len(self.findings) > FINDINGS_SHOWN:
            lines.append(f"… and {len(self.findings) - FINDINGS_SHOWN} more")
        return "\n".join(lines)

    def check(self, hint: str = "") -> None:
        """Fail if there is any finding, or nothing was expected; `hint` says how to reproduce the run (the seed)."""
        assert not self.findings, f"{hint}\n{self.table()}"
        assert self.expected, f"{hint}\nno transition was expected, so the run proves nothing"
