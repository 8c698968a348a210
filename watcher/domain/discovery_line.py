"""The line of a rule of discovery: which jobs it has decided on, in a few hundred ids and one moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

LAG = timedelta(minutes=10)
"""How much later than a younger job one may appear in the list: jobs of this last while are known by their ids."""
LONGEST_SKEW = timedelta(days=1)
"""How far the clock of a service may be behind ours: a job in a list that was empty before is new in any case."""
MOST_RECENT = 1_000
"""Ids that a line names."""
MOST_UNDECIDED = 1_000
"""Jobs that may yet come into a state that a rule wants."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a rule has decided: jobs created before a moment, and those that it names.

    Before the first whole scan it is not drawn: then it says which jobs had ended before the rule existed, and those
    that still run are for the rule to judge. Once drawn, all on the far side of it is decided.
    """

    before: datetime
    """Jobs created before then are decided."""
    recent: Mapping[str, datetime | None] = field(default_factory=dict)
    """Further jobs that are decided, with the times of their creation, the newest first."""
    undecided: frozenset[str] = frozenset()
    """Jobs that are not decided, whenever they were created."""
    is_drawn: bool = False
    """Whether the whole list was read once."""

    @classmethod
    def new(cls, now: datetime, backfill: timedelta) -> Line:
        """Return the line of a rule that exists from now on."""
        return cls(now - backfill)

    def reopened(self, now: datetime, backfill: timedelta) -> Line:
        """Return the line of a rule that has changed: what runs is for it to judge anew."""
        return replace(self, before=min(self.before, now - backfill), undecided=frozenset(), is_drawn=False)

    def settles(self, job_id: str, created_at: datetime | None, *, has_ended: bool) -> bool:
        """Tell whether a job lies on the far side of the line.

        Of one that has ended, and of which nothing says when it began, nobody can tell whether it is new.
        """
        if not (has_ended or self.is_drawn):
            return False
        if job_id in self.recent:
            return True
        return has_ended if created_at is None else created_at < self.before

    def advanced(self, seen: Mapping[str, datetime | None], undecided: Iterable[str], now: datetime) -> Line:
        """Return the line after a scan that has read the list as far as it had to, and saw these jobs."""
        newest = max(filter(None, seen.values()), default=None)
        floor = self.before if self.is_drawn else now - LONGEST_SKEW
        # A service may say anything: a time in the future must not hide what comes until then.
        before = min(newest, now) - LAG if newest else floor
        before = max(before, self.before) if self.is_drawn else before
        recent = {**seen, **{job_id: at for job_id, at in self.recent.items() if job_id not in seen}}
        recent = {job_id: at for job_id, at in recent.items() if at is None or at >= before}
        kept = dict(islice(sorted(recent.items(), key=_age, reverse=True), MOST_RECENT))
        dropped = [at for job_id, at in recent.items() if at and job_id not in kept]
        if dropped:
            before = max(before, max(dropped) + timedelta.resolution)
        return Line(before, kept, frozenset(islice(undecided, MOST_UNDECIDED)), is_drawn=True)


def _age(job: tuple[str, datetime | None]) -> float:
    at = job[1]
    return at.timestamp() if at else float("-inf")
