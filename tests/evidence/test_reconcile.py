"""The harness finds every kind of flaw in doctored books, and none in honest ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from tests.doubles import START
from tests.evidence.accepted import Acceptance
from tests.evidence.reconcile import Follow, reconcile
from tests.evidence.record import Owed, Record, Recorded
from tests.evidence.tally import Flaw, Tally
from tests.evidence.truth import Passage

JOB = "ftjob-1"
SECOND = timedelta(seconds=1)
WATCH = Follow(blind=2 * SECOND)


@dataclass
class Books:
    """The books of one job, which a test may doctor."""

    passages: list[Passage]
    history: list[Recorded]
    recipients: list[Owed] = field(init=False)
    log: list[Acceptance] = field(init=False)

    def __post_init__(self) -> None:
        self.recipients = [Owed("pager", entry.id, "delivered") for entry in self.history]
        self.log = [Acceptance(entry.id, JOB, entry.status, entry.previous_status, START) for entry in self.history]

    def tally(self, watch: Follow = WATCH) -> Tally:
        return reconcile({JOB: self.passages}, Record(self.history, self.recipients), {"pager": self.log}, watch)

    def flaws(self, watch: Follow = WATCH) -> list[Flaw]:
        return [finding.flaw for finding in self.tally(watch).findings]


def passages(*steps: tuple[str, int]) -> list[Passage]:
    """Return passages of so many seconds each; the last one goes on."""
    passed, since = [], START
    for status, seconds in steps:
        passed.append(Passage(status, since, since + seconds * SECOND))
        since += seconds * SECOND
    return [*passed[:-1], replace(passed[-1], until=None)]


def history(*statuses: str) -> list[Recorded]:
    before: Sequence[str | None] = [None, *statuses]
    return [
        Recorded(JOB, seq, f"evt_{seq}", previous, status)
        for seq, (previous, status) in enumerate(zip(before, statuses, strict=False), 1)
    ]


@pytest.fixture
def honest() -> Books:
    return Books(
        passages(("queued", 9), ("running", 9), ("succeeded", 9)),
        history("queued", "running", "succeeded"),
    )


def test_honest_books_have_no_flaw(honest: Books) -> None:
    tally = honest.tally()
    tally.check()
    assert dict(tally.rows()) == {
        "expected": 3,
        "recorded": 3,
        "delivered": 3,
        "repeated": 0,
        **dict.fromkeys(map(str, Flaw), 0),
    }


def test_the_same_message_again_is_counted_and_no_flaw(honest: Books) -> None:
    honest.log.insert(2, honest.log[1])
    tally = honest.tally()
    tally.check()
    assert (tally.delivered, tally.repeated) == (3, 1)


def test_a_status_too_short_to_be_seen_may_be_skipped() -> None:
    Books(passages(("queued", 1), ("running", 9), ("failed", 9)), history("running", "failed")).tally().check()


def test_a_status_that_is_taken_up_again_unseen_is_not_expected_twice() -> None:
    tally = Books(passages(("running", 9), ("paused", 1), ("running", 9)), history("running")).tally()
    tally.check()
    assert (tally.expected, tally.recorded) == (1, 1)


@pytest.mark.parametrize(
    ("steps", "statuses", "flaws"),
    [
        pytest.param([("queued", 9), ("running", 9)], ["running"], [Flaw.LOST], id="long-status-not-recorded"),
        pytest.param([("queued", 9), ("running", 1)], ["queued"], [Flaw.LOST], id="last-status-not-recorded"),
        pytest.param([("queued", 9)], [], [Flaw.LOST], id="job-not-recorded"),
        pytest.param([("queued", 9)], ["queued", "running"], [Flaw.FALSE], id="status-never-had"),
        pytest.param([], ["queued"], [Flaw.FALSE], id="job-that-does-not-exist"),
        pytest.param(
            [("running", 9), ("paused", 9), ("running", 9)],
            ["running"],
            [Flaw.LOST],
            id="pause-not-recorded",
        ),
        pytest.param([("running", 9), ("paused", 1), ("running", 9)], ["running"], [], id="short-pause-not-seen"),
        pytest.param(
            [("queued", 1), ("running", 9)],
            ["running", "queued"],
            [Flaw.FALSE],
            id="backwards-where-the-job-did-not-go",
        ),
    ],
)
def test_what_was_recorded_is_held_against_what_happened(
    steps: list[tuple[str, int]], statuses: list[str], flaws: list[Flaw]
) -> None:
    passed = passages(*steps) if steps else []
    assert Books(passed, history(*statuses)).flaws() == flaws


def test_a_status_that_ended_by_being_told_must_be_recorded_however_short() -> None:
    told = [replace(passage, is_answered=True) for passage in passages(("queued", 1), ("running", 1))]
    assert Books(told, history("running")).flaws() == [Flaw.LOST]


def test_only_a_status_that_lasted_while_somebody_watched_must_be_recorded() -> None:
    books = Books(passages(("queued", 9), ("running", 9)), history("running"))
    down = Follow(2 * SECOND, [(START, START + SECOND), (START + 8 * SECOND, START + 20 * SECOND)])
    assert books.flaws(down) == []
    up = Follow(2 * SECOND, [(START, START + SECOND), (START + 5 * SECOND, START + 20 * SECOND)])
    assert books.flaws(up) == [Flaw.LOST]


def test_an_entry_that_does_not_follow_on_the_one_before_is_false(honest: Books) -> None:
    honest.history[2] = replace(honest.history[2], previous_status="queued")
    honest.log[2] = replace(honest.log[2], previous_status="queued")
    assert honest.flaws() == [Flaw.FALSE]


def test_a_first_entry_with_something_before_it_is_false(honest: Books) -> None:
    honest.history[0] = replace(honest.history[0], previous_status="running")
    honest.log[0] = replace(honest.log[0], previous_status="running")
    assert honest.flaws() == [Flaw.FALSE]


def test_a_status_recorded_twice_is_false() -> None:
    assert Flaw.FALSE in Books(passages(("queued", 9)), history("queued", "queued")).flaws()


def test_a_message_that_was_not_accepted_is_lost(honest: Books) -> None:
    del honest.log[1]
    assert honest.flaws() == [Flaw.LOST]


@pytest.mark.parametrize("state", ["pending", "dead", "discarded"])
def test_a_delivery_not_said_to_be_delivered_is_unsettled(honest: Books, state: str) -> None:
    honest.recipients[1] = replace(honest.recipients[1], state=state)
    assert honest.flaws() == [Flaw.UNSETTLED]


def test_a_transition_that_nobody_is_owed_is_unsettled(honest: Books) -> None:
    del honest.recipients[1]
    assert honest.flaws() == [Flaw.UNSETTLED]


def test_the_same_news_under_another_id_is_a_twin(honest: Books) -> None:
    honest.log.append(replace(honest.log[2], id="evt_other"))
    assert honest.flaws() == [Flaw.TWIN]


def test_news_that_is_not_recorded_at_all_is_false(honest: Books) -> None:
    honest.log.append(Acceptance("evt_other", JOB, "failed", "running", START))
    assert honest.flaws() == [Flaw.FALSE]


def test_a_message_that_says_other_than_the_record_is_false(honest: Books) -> None:
    honest.log[2] = replace(honest.log[2], status="failed")
    assert honest.flaws() == [Flaw.FALSE]


def test_a_later_transition_heard_first_is_out_of_order(honest: Books) -> None:
    honest.log[1:] = reversed(honest.log[1:])
    assert honest.flaws() == [Flaw.OUT_OF_ORDER]


def test_an_old_message_repeated_after_a_new_one_is_out_of_order(honest: Books) -> None:
    honest.log.append(honest.log[0])
    assert honest.flaws() == [Flaw.OUT_OF_ORDER]


def test_a_failed_check_says_what_is_wrong_and_how_to_see_it_again(honest: Books) -> None:
    del honest.log[1]
    with pytest.raises(AssertionError, match=r"(?s)seed 7.*lost +1.*lost: ftjob-1: running was never accepted"):
        honest.tally().check("seed 7")


def test_a_run_that_expected_nothing_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="nothing was expected"):
        reconcile({}, Record([], []), {"pager": []}, WATCH).check()


def test_the_books_of_several_runs_add_up(honest: Books) -> None:
    total = honest.tally()
    del honest.log[1]
    total.add(honest.tally())
    assert (total.expected, total.recorded, total.delivered, total.count(Flaw.LOST)) == (6, 6, 5, 1)


def test_many_flaws_are_cut_short(honest: Books) -> None:
    honest.log += [Acceptance(f"evt_x{n}", JOB, "failed", "running", START) for n in range(40)]
    assert "… and 15 more" in honest.tally().table()
