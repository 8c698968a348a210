"""Reconciles what happened, what was recorded and what was accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from tests.evidence.accepted import Acceptance
from tests.evidence.record import Record, Recorded
from tests.evidence.tally import Finding, Flaw, Tally
from tests.evidence.truth import Passage, Truth

Stretch = tuple[datetime, datetime]
"""From when to when somebody was watching without a break."""


@dataclass(frozen=True, slots=True)
class Follow:
    """How closely the jobs were watched, which says what may be missed."""

    blind: timedelta
    """A status that lasted longer than this while somebody watched must have been seen."""
    stretches: Sequence[Stretch] | None = None
    """When somebody watched; None: all the time."""

    def must_see(self, passage: Passage) -> bool:
        """Tell whether the watcher had to see the passage."""
        if passage.until is None or passage.is_answered:
            return True
        stretches = [(passage.since, passage.until)] if self.stretches is None else self.stretches
        return any(min(passage.until, end) - max(passage.since, begin) > self.blind for begin, end in stretches)


def reconcile(
    truth: Mapping[str, Sequence[Passage]],
    record: Record,
    logs: Mapping[str, Sequence[Acceptance]],
    watch: Follow,
    wants: Callable[[Recorded], bool] = lambda _: True,
) -> Tally:
    """Compare the three.

    Args:
        truth: What each job passed through, in order; see `passages_of`.
        record: The watcher's record.
        logs: What the receiver of each notifier accepted, the oldest first.
        watch: How closely the jobs were watched.
        wants: Whether the notifiers want to hear of a recorded transition.
    """
    tally = Tally(recorded=len(record.transitions))
    histories = record.histories()
    for job in sorted({*truth, *histories}):
        passages, history = truth.get(job, ()), histories.get(job, [])
        musts = [watch.must_see(passage) for passage in passages]
        way = _align(job, passages, musts, history)
        tally.expected += way.expected
        tally.findings += way.flaws
        _check_chain(history, tally)
    for notifier, log in logs.items():
        _check_deliveries(notifier, log, record, [each for each in record.transitions if wants(each)], tally)
    return tally


def passages_of(*truths: Truth) -> Mapping[str, Sequence[Passage]]:
    """Return what each job of the APIs passed through."""
    return {job: truth.passages(job) for truth in truths for job in truth.ids}


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to explain a history by passages."""

    flaws: tuple[Finding, ...] = ()
    expected: int = 0
    """The passages that had to become an entry of their own."""

    def but(self, flaw: Flaw, job: str, words: str) -> _Way:
        return replace(self, flaws=(*self.flaws, Finding(flaw, job, words)))

    def and_expected(self, number: int) -> _Way:
        return replace(self, expected=self.expected + number)


def _align(job: str, passages: Sequence[Passage], musts: Sequence[bool], history: Sequence[Recorded]) -> _Way:
    """Lay the history over the passages so that the fewest flaws remain."""
    # best[j]: how the passages so far are best explained by the first j entries of the history.
    best = [_Way()]
    for entry in history:
        best.append(best[-1].but(Flaw.FALSE, job, f"{entry.status} was recorded, but never so"))
    for passage, is_must in zip(passages, musts, strict=True):
        before, best = best, []
        for j, way in enumerate(before):
            if is_must and not (j > 0 and history[j - 1].status == passage.status):
                ways = [way.but(Flaw.LOST, job, f"{_words(passage)} was not recorded").and_expected(1)]
            else:
                ways = [way]  # it was too short to be seen, or the record stands there already
            if j > 0:
                entry = history[j - 1]
                ways.append(best[-1].but(Flaw.FALSE, job, f"{entry.status} was recorded, but never so"))
                if entry.status == passage.status:
                    ways.append(before[j - 1].and_expected(is_must))
            best.append(min(ways, key=lambda each: len(each.flaws)))
    return best[-1]


def _check_chain(history: Sequence[Recorded], tally: Tally) -> None:
    """Hold that each entry begins where the one before has ended, and leads elsewhere."""
    for entry in history[:1]:
        if entry.previous_status is not None:
            tally.note(Flaw.FALSE, entry.job, f"the first entry says that it was {entry.previous_status} before")
    for before, after in pairwise(history):
        if after.previous_status != before.status:
            tally.note(Flaw.FALSE, after.job, f"{after.previous_status} → {after.status} follows on {before.status}")
        elif after.status == before.status:
            tally.note(Flaw.FALSE, after.job, f"{after.status} was recorded twice in a row")


def _check_deliveries(
    notifier: str, log: Sequence[Acceptance], record: Record, wanted: Sequence[Recorded], tally: Tally
) -> None:
    times = Counter(taken.id for taken in log)
    tally.delivered += len(times)
    tally.repeated += times.total() - len(times)
    states = {recipients.id: recipients.state for recipients in record.deliveries if recipients.notifier == notifier}
    for entry in wanted:
        if entry.id not in times:
            tally.note(Flaw.LOST, entry.job, f"{entry.status} was never accepted by {notifier}")
        if (state := states.get(entry.id, "not owed")) != "delivered":
            tally.note(Flaw.UNSETTLED, entry.job, f"{entry.status} to {notifier} is {state}")
    _check_contents(notifier, log, record, tally)
    _check_order(notifier, log, record, tally)


def _check_contents(notifier: str, log: Sequence[Acceptance], record: Record, tally: Tally) -> None:
    recorded = {entry.id: _news(entry) for entry in record.transitions}
    all_news = set(recorded.values())
    for taken in {taken.id: taken for taken in log}.values():
        words = f"{notifier} was told {taken.previous_status} → {taken.status} as {taken.id}"
        if taken.id not in recorded:
            tally.note(Flaw.TWIN if _news(taken) in all_news else Flaw.FALSE, taken.job, f"{words}: not recorded so")
    for taken in log:
        if taken.id in recorded and recorded[taken.id] != _news(taken):
            tally.note(Flaw.FALSE, taken.job, f"{notifier} was told other than recorded as {taken.id}")


def _check_order(notifier: str, log: Sequence[Acceptance], record: Record, tally: Tally) -> None:
    """Hold that no message comes after a later one of its job, not even as a repetition."""
    place = {entry.id: entry.seq for entry in record.transitions}
    newest: dict[str, Acceptance] = {}
    for taken in log:
        last = newest.get(taken.job)
        if taken.id not in place:
            continue
        if last and place[taken.id] < place[last.id]:
            tally.note(Flaw.OUT_OF_ORDER, taken.job, f"{notifier} took {taken.status} after {last.status}")
        else:
            newest[taken.job] = taken


def _news(entry: Recorded | Acceptance) -> tuple[str, str | None, str]:
    return entry.job, entry.previous_status, entry.status


def _words(passage: Passage) -> str:
    if passage.until is None:
        return f"{passage.status}, its last status,"
    return f"{passage.status}, for {(passage.until - passage.since).total_seconds():.1f} s,"
