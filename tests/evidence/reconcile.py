"""Compares what happened at the APIs, what the watcher recorded and what receivers accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from tests.evidence.accepted import AcceptedMessage
from tests.evidence.database import DatabaseContents, RecordedTransition
from tests.evidence.expected import StatusPeriod
from tests.evidence.report import Finding, FindingKind, Report

TimeRange = tuple[datetime, datetime]
"""A time in which a watcher was running, from its start to its end."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How closely the jobs were watched: it decides which statuses the watcher may miss."""

    longest_unseen: timedelta
    """A status that lasted longer than this while a watcher was running must have been recorded."""
    watched: Sequence[TimeRange] | None = None
    """When a watcher was running; None: all the time."""

    def must_be_recorded(self, period: StatusPeriod) -> bool:
        """Return whether the watcher had to record the status."""
        if period.until is None or period.ends_when_reported:
            return True
        watched = [(period.since, period.until)] if self.watched is None else self.watched
        return any(min(period.until, end) - max(period.since, begin) > self.longest_unseen for begin, end in watched)


def reconcile(
    expected: Mapping[str, Sequence[StatusPeriod]],
    database: DatabaseContents,
    accepted: Mapping[str, Sequence[AcceptedMessage]],
    coverage: Coverage,
    is_routed: Callable[[RecordedTransition], bool] = lambda _: True,
) -> Report:
    """Compare the three.

    Args:
        expected: The statuses that each job had, in order; see `expected_periods`.
        database: What the watcher recorded.
        accepted: What the receiver of each notifier accepted, oldest first.
        coverage: How closely the jobs were watched.
        is_routed: Whether a recorded transition must be delivered to the notifiers.
    """
    report = Report(recorded=len(database.transitions))
    histories = database.histories()
    for job in sorted({*expected, *histories}):
        periods, history = expected.get(job, ()), histories.get(job, [])
        alignment = _align(job, periods, [coverage.must_be_recorded(period) for period in periods], history)
        report.expected += alignment.expected
        report.findings += alignment.findings
        _check_chain(history, report)
    routed = [each for each in database.transitions if is_routed(each)]
    for notifier, messages in accepted.items():
        _check_deliveries(notifier, messages, database, routed, report)
    return report


@dataclass(frozen=True, slots=True)
class _Alignment:
    """One way to explain a job's recorded history by the statuses that it had."""

    findings: tuple[Finding, ...] = ()
    expected: int = 0
    """The statuses that had to be recorded by a transition of their own."""

    def with_finding(self, kind: FindingKind, job: str, text: str) -> _Alignment:
        return replace(self, findings=(*self.findings, Finding(kind, job, text)))

    def with_expected(self, number: int) -> _Alignment:
        return replace(self, expected=self.expected + number)


def _align(
    job: str, periods: Sequence[StatusPeriod], required: Sequence[bool], history: Sequence[RecordedTransition]
) -> _Alignment:
    """Align the history with the periods so that the fewest findings remain."""
    # best[j]: the best alignment of the periods so far with the first j entries of the history.
    best = [_Alignment()]
    for entry in history:
        best.append(best[-1].with_finding(FindingKind.FALSE, job, f"{entry.status} was recorded, but did not happen"))
    for period, is_required in zip(periods, required, strict=True):
        before, best = best, []
        for j, skipped in enumerate(before):
            if is_required and not (j > 0 and history[j - 1].status == period.status):
                text = f"{_described(period)} was not recorded"
                options = [skipped.with_finding(FindingKind.LOST, job, text).with_expected(1)]
            else:
                options = [skipped]  # too short to be seen, or the previous entry already has this status
            if j > 0:
                entry = history[j - 1]
                text = f"{entry.status} was recorded, but did not happen"
                options.append(best[-1].with_finding(FindingKind.FALSE, job, text))
                if entry.status == period.status:
                    options.append(before[j - 1].with_expected(is_required))
            best.append(min(options, key=lambda each: len(each.findings)))
    return best[-1]


def _check_chain(history: Sequence[RecordedTransition], report: Report) -> None:
    """Check that each transition begins at the status where the one before ended, and changes it."""
    for entry in history[:1]:
        if entry.previous_status is not None:
            text = f"the first transition has the previous status {entry.previous_status}"
            report.add_finding(FindingKind.FALSE, entry.job, text)
    for before, after in pairwise(history):
        if after.previous_status != before.status:
            text = f"{after.previous_status} → {after.status} follows {before.status}"
            report.add_finding(FindingKind.FALSE, after.job, text)
        elif after.status == before.status:
            report.add_finding(FindingKind.FALSE, after.job, f"{after.status} was recorded twice in a row")


def _check_deliveries(
    notifier: str,
    messages: Sequence[AcceptedMessage],
    database: DatabaseContents,
    routed: Sequence[RecordedTransition],
    report: Report,
) -> None:
    times = Counter(message.id for message in messages)
    report.delivered += len(times)
    report.repeated += times.total() - len(times)
    states = {delivery.id: delivery.state for delivery in database.deliveries if delivery.notifier == notifier}
    for entry in routed:
        if entry.id not in times:
            report.add_finding(FindingKind.LOST, entry.job, f"{entry.status} was never accepted by {notifier}")
        if (state := states.get(entry.id, "missing")) != "delivered":
            text = f"the delivery of {entry.status} to {notifier} is {state}"
            report.add_finding(FindingKind.UNSETTLED, entry.job, text)
    _check_contents(notifier, messages, database, report)
    _check_order(notifier, messages, database, report)


def _check_contents(
    notifier: str, messages: Sequence[AcceptedMessage], database: DatabaseContents, report: Report
) -> None:
    recorded = {entry.id: _change(entry) for entry in database.transitions}
    all_changes = set(recorded.values())
    for message in {message.id: message for message in messages}.values():
        if message.id not in recorded:
            kind = FindingKind.TWO_IDS if _change(message) in all_changes else FindingKind.FALSE
            text = f"{notifier} accepted {message.previous_status} → {message.status} as {message.id}: no such event"
            report.add_finding(kind, message.job, text)
    for message in messages:
        if message.id in recorded and recorded[message.id] != _change(message):
            text = f"{notifier} accepted {message.id} with contents other than recorded"
            report.add_finding(FindingKind.FALSE, message.job, text)


def _check_order(
    notifier: str, messages: Sequence[AcceptedMessage], database: DatabaseContents, report: Report
) -> None:
    """Check that no message follows a later one of its job, not even as a repetition."""
    seq = {entry.id: entry.seq for entry in database.transitions}
    newest: dict[str, AcceptedMessage] = {}
    for message in messages:
        last = newest.get(message.job)
        if message.id not in seq:
            continue
        if last and seq[message.id] < seq[last.id]:
            text = f"{notifier} accepted {message.status} after {last.status}"
            report.add_finding(FindingKind.OUT_OF_ORDER, message.job, text)
        else:
            newest[message.job] = message


def _change(entry: RecordedTransition | AcceptedMessage) -> tuple[str, str | None, str]:
    return entry.job, entry.previous_status, entry.status


def _described(period: StatusPeriod) -> str:
    if period.until is None:
        return f"{period.status}, the last status,"
    return f"{period.status}, which lasted {(period.until - period.since).total_seconds():.1f} s,"
