"""Reconciling finds every kind of deviation in altered evidence, and none in consistent evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from tests.doubles import START
from tests.evidence.accepted import AcceptedMessage
from tests.evidence.database import DatabaseContents, RecordedDelivery, RecordedTransition
from tests.evidence.expected import StatusPeriod
from tests.evidence.reconcile import Coverage, reconcile
from tests.evidence.report import FindingKind, Report

JOB = "ftjob-1"
SECOND = timedelta(seconds=1)
COVERAGE = Coverage(longest_unseen=2 * SECOND)


@dataclass
class Evidence:
    """The evidence of one job, which a test may alter."""

    periods: list[StatusPeriod]
    history: list[RecordedTransition]
    deliveries: list[RecordedDelivery] = field(init=False)
    accepted: list[AcceptedMessage] = field(init=False)

    def __post_init__(self) -> None:
        self.deliveries = [RecordedDelivery("pager", entry.id, "delivered") for entry in self.history]
        self.accepted = [
            AcceptedMessage(entry.id, JOB, entry.status, entry.previous_status, START) for entry in self.history
        ]

    def report(self, coverage: Coverage = COVERAGE) -> Report:
        return reconcile(
            {JOB: self.periods}, DatabaseContents(self.history, self.deliveries), {"pager": self.accepted}, coverage
        )

    def kinds(self, coverage: Coverage = COVERAGE) -> list[FindingKind]:
        return [finding.kind for finding in self.report(coverage).findings]


def periods(*steps: tuple[str, int]) -> list[StatusPeriod]:
    """Return periods of so many seconds each; the last one has no end."""
    passed, since = [], START
    for status, seconds in steps:
        passed.append(StatusPeriod(status, since, since + seconds * SECOND))
        since += seconds * SECOND
    return [*passed[:-1], replace(passed[-1], until=None)]


def history(*statuses: str) -> list[RecordedTransition]:
    before: Sequence[str | None] = [None, *statuses]
    return [
        RecordedTransition(JOB, seq, f"evt_{seq}", previous, status)
        for seq, (previous, status) in enumerate(zip(before, statuses, strict=False), 1)
    ]


@pytest.fixture
def consistent() -> Evidence:
    return Evidence(
        periods(("queued", 9), ("running", 9), ("succeeded", 9)),
        history("queued", "running", "succeeded"),
    )


def test_consistent_evidence_has_no_finding(consistent: Evidence) -> None:
    report = consistent.report()
    report.check()
    assert dict(report.rows()) == {
        "expected": 3,
        "recorded": 3,
        "delivered": 3,
        "repeated": 0,
        **dict.fromkeys(map(str, FindingKind), 0),
    }


def test_a_repeated_message_is_counted_and_is_no_finding(consistent: Evidence) -> None:
    consistent.accepted.insert(2, consistent.accepted[1])
    report = consistent.report()
    report.check()
    assert (report.delivered, report.repeated) == (3, 1)


def test_a_status_too_short_to_be_seen_may_be_skipped() -> None:
    Evidence(periods(("queued", 1), ("running", 9), ("failed", 9)), history("running", "failed")).report().check()


def test_a_status_resumed_after_an_unseen_one_is_not_expected_twice() -> None:
    report = Evidence(periods(("running", 9), ("paused", 1), ("running", 9)), history("running")).report()
    report.check()
    assert (report.expected, report.recorded) == (1, 1)


@pytest.mark.parametrize(
    ("steps", "statuses", "kinds"),
    [
        pytest.param([("queued", 9), ("running", 9)], ["running"], [FindingKind.LOST], id="long-status-not-recorded"),
        pytest.param([("queued", 9), ("running", 1)], ["queued"], [FindingKind.LOST], id="last-status-not-recorded"),
        pytest.param([("queued", 9)], [], [FindingKind.LOST], id="job-not-recorded"),
        pytest.param([("queued", 9)], ["queued", "running"], [FindingKind.FALSE], id="status-never-had"),
        pytest.param([], ["queued"], [FindingKind.FALSE], id="job-that-does-not-exist"),
        pytest.param(
            [("running", 9), ("paused", 9), ("running", 9)],
            ["running"],
            [FindingKind.LOST],
            id="pause-not-recorded",
        ),
        pytest.param([("running", 9), ("paused", 1), ("running", 9)], ["running"], [], id="short-pause-not-seen"),
        pytest.param(
            [("queued", 1), ("running", 9)],
            ["running", "queued"],
            [FindingKind.FALSE],
            id="backwards-where-the-job-did-not-go",
        ),
    ],
)
def test_the_recorded_history_is_compared_with_the_statuses_of_the_job(
    steps: list[tuple[str, int]], statuses: list[str], kinds: list[FindingKind]
) -> None:
    passed = periods(*steps) if steps else []
    assert Evidence(passed, history(*statuses)).kinds() == kinds


def test_a_status_that_ended_when_reported_must_be_recorded_however_short() -> None:
    told = [replace(period, ends_when_reported=True) for period in periods(("queued", 1), ("running", 1))]
    assert Evidence(told, history("running")).kinds() == [FindingKind.LOST]


def test_only_a_status_that_lasted_while_a_watcher_ran_must_be_recorded() -> None:
    evidence = Evidence(periods(("queued", 9), ("running", 9)), history("running"))
    down = Coverage(2 * SECOND, [(START, START + SECOND), (START + 8 * SECOND, START + 20 * SECOND)])
    assert evidence.kinds(down) == []
    up = Coverage(2 * SECOND, [(START, START + SECOND), (START + 5 * SECOND, START + 20 * SECOND)])
    assert evidence.kinds(up) == [FindingKind.LOST]


def test_a_transition_that_does_not_follow_the_one_before_is_false(consistent: Evidence) -> None:
    consistent.history[2] = replace(consistent.history[2], previous_status="queued")
    consistent.accepted[2] = replace(consistent.accepted[2], previous_status="queued")
    assert consistent.kinds() == [FindingKind.FALSE]


def test_a_first_transition_with_a_previous_status_is_false(consistent: Evidence) -> None:
    consistent.history[0] = replace(consistent.history[0], previous_status="running")
    consistent.accepted[0] = replace(consistent.accepted[0], previous_status="running")
    assert consistent.kinds() == [FindingKind.FALSE]


def test_a_status_recorded_twice_is_false() -> None:
    assert FindingKind.FALSE in Evidence(periods(("queued", 9)), history("queued", "queued")).kinds()


def test_a_message_that_was_not_accepted_is_lost(consistent: Evidence) -> None:
    del consistent.accepted[1]
    assert consistent.kinds() == [FindingKind.LOST]


@pytest.mark.parametrize("state", ["pending", "dead", "discarded"])
def test_a_delivery_that_is_not_delivered_is_unsettled(consistent: Evidence, state: str) -> None:
    consistent.deliveries[1] = replace(consistent.deliveries[1], state=state)
    assert consistent.kinds() == [FindingKind.UNSETTLED]


def test_a_transition_without_a_delivery_is_unsettled(consistent: Evidence) -> None:
    del consistent.deliveries[1]
    assert consistent.kinds() == [FindingKind.UNSETTLED]


def test_the_same_change_under_another_id_has_two_ids(consistent: Evidence) -> None:
    consistent.accepted.append(replace(consistent.accepted[2], id="evt_other"))
    assert consistent.kinds() == [FindingKind.TWO_IDS]


def test_a_change_that_is_not_recorded_is_false(consistent: Evidence) -> None:
    consistent.accepted.append(AcceptedMessage("evt_other", JOB, "failed", "running", START))
    assert consistent.kinds() == [FindingKind.FALSE]


def test_a_message_that_differs_from_the_database_is_false(consistent: Evidence) -> None:
    consistent.accepted[2] = replace(consistent.accepted[2], status="failed")
    assert consistent.kinds() == [FindingKind.FALSE]


def test_a_later_transition_accepted_first_is_out_of_order(consistent: Evidence) -> None:
    consistent.accepted[1:] = reversed(consistent.accepted[1:])
    assert consistent.kinds() == [FindingKind.OUT_OF_ORDER]


def test_an_old_message_repeated_after_a_new_one_is_out_of_order(consistent: Evidence) -> None:
    consistent.accepted.append(consistent.accepted[0])
    assert consistent.kinds() == [FindingKind.OUT_OF_ORDER]


def test_a_failed_check_lists_the_findings_and_how_to_reproduce_them(consistent: Evidence) -> None:
    del consistent.accepted[1]
    with pytest.raises(AssertionError, match=r"(?s)seed 7.*lost +1.*lost: ftjob-1: running was never accepted"):
        consistent.report().check("seed 7")


def test_a_run_that_expected_nothing_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="no transition was expected"):
        reconcile({}, DatabaseContents([], []), {"pager": []}, COVERAGE).check()


def test_the_reports_of_several_runs_add_up(consistent: Evidence) -> None:
    total = consistent.report()
    del consistent.accepted[1]
    total.add(consistent.report())
    assert (total.expected, total.recorded, total.delivered, total.count(FindingKind.LOST)) == (6, 6, 5, 1)


def test_a_long_list_of_findings_is_cut(consistent: Evidence) -> None:
    consistent.accepted += [AcceptedMessage(f"evt_x{n}", JOB, "failed", "running", START) for n in range(40)]
    assert "… and 15 more" in consistent.report().table()
