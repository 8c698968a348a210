"""One rule of discovery during one scan of a list: which jobs it adopts, and where its line is drawn then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from datetime import datetime

from watcher.domain.discovery import Rule, Verdict
from watcher.domain.discovery_line import Line
from watcher.domain.jobs import JobSpec, Page
from watcher.domain.states import JobState, is_terminal
from watcher.engine.ports import Adoption, RecordedLine

_DECIDED = frozenset({Verdict.SEEN_BEFORE, Verdict.UNDATED})


def line_of(rule: Rule, recorded: RecordedLine | None, now: datetime) -> RecordedLine:
    """Return the line that a rule goes by: the recorded one, opened anew where the rule is not what it was."""
    if recorded is None:
        return RecordedLine(Line.new(now, rule.backfill), rule.fingerprint, 0)
    if recorded.fingerprint == rule.fingerprint:
        return recorded
    return RecordedLine(recorded.line.reopened(now, rule.backfill), rule.fingerprint, recorded.seq)


class RuleScan:
    """Judges the jobs of the pages that a scan reads."""

    def __init__(self, rule: Rule, recorded: RecordedLine | None, now: datetime) -> None:
        self.rule = rule
        self.verdicts: Counter[Verdict] = Counter()
        self._recorded = recorded
        self._start = line_of(rule, recorded, now)
        self._now = now
        self._adopted: list[JobSpec] = []
        self._seen: dict[str, datetime | None] = {}
        self._undecided: set[str] = set()
        self._missing = set(self._start.line.undecided)
        """Jobs without a decision that the scan has not come across."""
        self._has_met_line = False

    @property
    def is_first(self) -> bool:
        """Whether the rule has to see the whole list."""
        return not self._start.line.is_drawn

    @property
    def undecided(self) -> frozenset[str]:
        """The jobs that may yet come into a state that the rule wants."""
        return (self._start.line.undecided - self._seen.keys()) | self._undecided

    def wants_more(self, *, is_by_age: bool) -> bool:
        """Tell whether further pages may hold what the rule has to judge."""
        if len(self._adopted) > self.rule.limit:
            return False
        return self.is_first or not is_by_age or not self._has_met_line or bool(self._missing)

    def begin_part(self) -> None:
        """Note that the next page begins another list, whose own new jobs come on top."""
        self._has_met_line = False

    def skip(self, job_ids: Collection[str]) -> None:
        """Note a page that says what it said at the last scan."""
        self._missing.difference_update(job_ids)
        self._has_met_line = True

    def take(self, page: Page, states: Callable[[str], JobState]) -> None:
        """Judge the jobs of a page."""
        for job_id, job in page.jobs.items():
            if job_id in self._seen:
                continue
            state = states(job.status)
            verdict = self.rule.judge(job_id, job, state, self._start.line, self._now)
            self.verdicts[verdict] += 1
            self._seen[job_id] = job.created_at
            self._missing.discard(job_id)
            if verdict is Verdict.ADOPTED:
                self._adopted.append(self.rule.adopts(job_id, job))
            elif verdict is Verdict.OTHER_STATE and not is_terminal(state):
                self._undecided.add(job_id)
            elif verdict in _DECIDED:
                self._has_met_line = True

    def adoption(self, *, is_whole: bool, is_at_end: bool) -> Adoption | None:
        """Return what is to be recorded; None for nothing.

        A scan that was broken off leaves the line where it was. One that came to the end of the list has seen all jobs
        that are still there.
        """
        start = self._start
        line = start.line
        if is_whole:
            gone = self._missing if is_at_end else set[str]()
            undecided = self._undecided | (line.undecided - self._seen.keys() - gone)
            line = line.advanced(self._seen, sorted(undecided), self._now)
        drawn = RecordedLine(line, start.fingerprint, start.seq)
        if not self._adopted and drawn == self._recorded:
            return None
        rule = self.rule
        return Adoption(rule.name, rule.source, rule.origin, rule.limit, self._adopted, drawn)
