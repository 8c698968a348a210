"""How a job trains, from what its source tells in pages."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from watcher.domain.anomalies import Anomaly
from watcher.domain.jobs import Basis, JobFacts, Progress, ProgressUnit
from watcher.domain.telemetry import TRAIN_LOSS, VALID_LOSS, EventPage, MetricPoint
from watcher.domain.training import (
    MOST_LOSSES,
    Training,
    expected_end,
    with_page,
    with_progress,
    wrong_with,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(step: int) -> datetime:
    """Each step takes two seconds."""
    return START + timedelta(seconds=2 * step)


def page(first: int, last: int, total: int | None = 1000, losses: dict[int, float] | None = None) -> EventPage:
    points = [
        MetricPoint(series, step, (losses or {}).get(step, 1.0 / step), at(step))
        for step in range(first, last + 1)
        for series in (TRAIN_LOSS, VALID_LOSS)
    ]
    return EventPage(points=tuple(points), progress=Progress(last, total, at(last)))


def test_pages_in_any_order_make_one_curve_of_the_last_points() -> None:
    training = with_page(with_page(Training(), page(201, 400)), page(1, 200))
    assert [point.step for point in training.losses] == list(range(401 - MOST_LOSSES, 401))
    assert {series: point.step for series, point in training.last.items()} == {TRAIN_LOSS: 400, VALID_LOSS: 400}
    assert training.progress == Progress(400, 1000, at(400))
    assert training.begin == (1, at(1))


def test_a_page_with_nothing_new_changes_nothing() -> None:
    training = with_page(Training(), page(1, 20))
    assert with_page(training, EventPage()) == training


def test_what_was_said_before_does_not_count_as_movement() -> None:
    training = with_progress(Training(), Progress(10, 100, at(10)))
    assert with_progress(training, Progress(10, 100, at(50))) is training
    assert with_progress(training, Progress(5, 100, at(5))) is training
    assert with_progress(training, Progress(5, 100, at(60))).progress == Progress(5, 100, at(60))
    percent = with_progress(training, Progress(50, None, at(60), ProgressUnit.PERCENT))
    assert percent.begin == (50, at(60))


def test_the_end_is_the_services_estimate_while_that_is_ahead_else_by_the_steps() -> None:
    training = with_page(Training(), page(100, 400))
    estimate = JobFacts(estimated_finish=START + timedelta(hours=1))
    expected = expected_end(training, estimate, at(400))
    assert expected
    assert (expected.at, expected.basis) == (estimate.estimated_finish, Basis.ESTIMATED_FINISH)
    by_steps = expected_end(training, JobFacts(estimated_finish=START), at(400))
    assert by_steps
    assert (by_steps.at, by_steps.basis) == (at(1000), Basis.PROGRESS)
    assert expected_end(training, JobFacts(), at(1001)) is None


@pytest.mark.parametrize(
    "training",
    [
        Training(),
        with_page(Training(), page(1, 1)),
        with_page(Training(), page(1, 20, total=None)),
        Training(progress=Progress(3, 9, START)),
        with_page(Training(), EventPage(progress=Progress(3, 9, START))),
    ],
)
def test_where_nothing_says_how_fast_it_goes_nothing_is_expected(training: Training) -> None:
    assert expected_end(training, JobFacts(), START) is None
    assert wrong_with(training, START) is None


def test_a_run_without_steps_for_much_longer_than_they_take_has_stalled() -> None:
    stalled = Anomaly.STALLED, timedelta(seconds=22)
    training = with_page(Training(), page(1, 400))
    assert wrong_with(training, at(410)) is None
    assert wrong_with(training, at(411)) == stalled
    assert wrong_with(Training(), at(900)) is None
    assert wrong_with(with_page(Training(), page(1, 400, total=400)), at(900)) is None  # it saves what it has learned
    assert wrong_with(with_page(Training(), page(1, 400, total=None)), at(411)) == stalled


def test_a_loss_that_climbs_or_is_no_number_is_told_as_events_tell_it() -> None:
    climbs = {step: 0.1 * (step - 20) for step in range(22, 41)}
    two_pages = with_page(with_page(Training(), page(1, 20)), page(21, 40, losses=climbs))
    assert wrong_with(two_pages, at(40)) == (Anomaly.CLIMBS, None)
    assert wrong_with(with_page(Training(), page(1, 29)), at(29)) is None
    assert wrong_with(with_page(Training(), page(1, 5, losses={5: math.nan})), at(5)) == (Anomaly.NO_NUMBER, None)
