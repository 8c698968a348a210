"""When a status is expected to end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tests.doubles import START, job_in
from watcher.domain.forecast import Phase, Stay, Window, forecast, forecast_from, usual_length, usual_stay, window
from watcher.domain.jobs import Basis, Forecast, Progress

MINUTE = timedelta(minutes=1)
NOW = START + 10 * MINUTE
ESTIMATE = START + 60 * MINUTE
RUNNING = job_in("running", status_since=START)
LOOKED = Forecast(START + 50 * MINUTE, Basis.PROGRESS, START + 5 * MINUTE)
LOOKED_IN_VAIN = Forecast(None, Basis.PROGRESS, START + 5 * MINUTE)
ALIKE = [40 * MINUTE, 44 * MINUTE, 3 * MINUTE, 39 * MINUTE, 41 * MINUTE, 42 * MINUTE, 200 * MINUTE, 43 * MINUTE]
"""Alike, but for one that failed and one that hung."""


def having(held: Forecast | None, status: str = "running") -> Forecast | None:
    """Return the forecast made of all there is for a job that has this one."""
    return forecast(job_in(status, status_since=START, forecast=held), ESTIMATE, usual_stay(ALIKE), NOW)


def test_the_apis_own_estimate_comes_first() -> None:
    told = Forecast(ESTIMATE, Basis.ESTIMATED_FINISH, NOW)

    assert having(None) == told
    assert having(LOOKED) == told
    assert having(Forecast(START + 40 * MINUTE, Basis.HISTORY, START)) == told


def test_the_same_estimate_again_is_no_new_forecast() -> None:
    held = Forecast(ESTIMATE, Basis.ESTIMATED_FINISH, START)

    assert having(held) is held


def test_an_estimate_that_changes_is_a_new_forecast() -> None:
    assert having(Forecast(ESTIMATE - MINUTE, Basis.ESTIMATED_FINISH, START)) == Forecast(
        ESTIMATE, Basis.ESTIMATED_FINISH, NOW
    )


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        datetime.fromtimestamp(0, UTC),
        START,
        START + 5 * MINUTE,
        START + timedelta(days=31),
        datetime.max.replace(tzinfo=UTC),
    ],
    ids=["none", "zero", "before it ran", "outlived", "next month", "the end of time"],
)
def test_an_estimate_that_cannot_be_right_is_ignored(nonsense: datetime | None) -> None:
    assert forecast(RUNNING, nonsense, None, NOW) is None


@pytest.mark.parametrize("status", ["validating_files", "queued", "paused"])
def test_the_estimate_of_a_jobs_end_says_nothing_of_other_statuses(status: str) -> None:
    told = having(None, status)

    assert told is not None
    assert told.basis is Basis.HISTORY


def test_earlier_jobs_tell_how_long_a_status_lasts() -> None:
    assert forecast(RUNNING, None, usual_stay(ALIKE), NOW) == Forecast(START + 42 * MINUTE, Basis.HISTORY, NOW)


@pytest.mark.parametrize(
    "durations",
    [[], ALIKE[:7], [length * MINUTE for length in (5, 10, 20, 40, 80, 160, 320, 640)], [9 * MINUTE] * 20],
    ids=["none", "too few", "unlike", "shorter than this job already"],
)
def test_earlier_jobs_may_tell_nothing(durations: Sequence[timedelta]) -> None:
    assert forecast(RUNNING, None, usual_stay(durations), NOW) is None


def test_what_is_known_stays_while_there_is_nothing_better() -> None:
    for held in (LOOKED, LOOKED_IN_VAIN, Forecast(START + 20 * MINUTE, Basis.HISTORY, START)):
        job = job_in("running", status_since=START, forecast=held)
        assert forecast(job, None, None, NOW) is held


def test_progress_is_believed_before_earlier_jobs_and_they_before_nothing() -> None:
    assert forecast(job_in("running", status_since=START, forecast=LOOKED), None, usual_stay(ALIKE), NOW) is LOOKED
    told = forecast(job_in("running", status_since=START, forecast=LOOKED_IN_VAIN), None, usual_stay(ALIKE), NOW)
    assert told == Forecast(START + 42 * MINUTE, Basis.HISTORY, NOW)


def test_nothing_is_expected_of_a_job_never_seen() -> None:
    assert forecast(job_in(None), ESTIMATE, usual_stay(ALIKE), NOW) is None
    assert window(job_in("running", forecast=LOOKED)) is None
    assert window(RUNNING) is None


def test_steps_done_tell_when_the_rest_is_done() -> None:
    progress = Progress(100, 400, START + 9 * MINUTE)

    assert forecast_from(RUNNING, progress, NOW) == Forecast(START + 36 * MINUTE, Basis.PROGRESS, NOW)


@pytest.mark.parametrize(
    "progress",
    [
        None,
        Progress(0, 400, NOW),
        Progress(9, None, NOW),
        Progress(3, 400, NOW),
        Progress(1, 10**400, NOW),
        Progress(100, 400, START),
        Progress(100, 400, START - MINUTE),
    ],
    ids=["no look", "no step", "no total", "too few", "absurd", "no time gone by", "before it was seen"],
)
def test_a_look_that_says_nothing_is_remembered_and_leaves_what_was_known(progress: Progress | None) -> None:
    assert forecast_from(RUNNING, progress, NOW) == Forecast(None, Basis.PROGRESS, NOW)
    knowing = job_in("running", status_since=START, forecast=LOOKED)
    assert forecast_from(knowing, progress, NOW) == Forecast(LOOKED.at, LOOKED.basis, NOW)


def test_a_look_at_a_job_never_seen_says_nothing() -> None:
    assert forecast_from(job_in(None), Progress(100, 400, NOW), NOW).at is None


def test_a_second_look_in_vain_is_remembered() -> None:
    job = job_in("running", status_since=START, forecast=LOOKED_IN_VAIN)

    assert forecast_from(job, None, NOW) == Forecast(None, Basis.PROGRESS, NOW)


def test_a_run_first_seen_late_is_expected_later_with_each_look() -> None:
    """It began 30 minutes before it was first seen, and takes an hour: it ends 30 minutes after that."""
    looks = [
        forecast_from(RUNNING, Progress(30 + minutes, 60, START + minutes * MINUTE), NOW).at
        for minutes in (5, 10, 20, 30)
    ]

    assert looks == sorted(filter(None, looks))
    assert looks[-1] == START + 30 * MINUTE


@pytest.mark.parametrize(
    ("basis", "made_after", "leeway"),
    [
        (Basis.ESTIMATED_FINISH, 0, 22),
        (Basis.ESTIMATED_FINISH, 50, 22),
        (Basis.HISTORY, 0, 22),
        (Basis.PROGRESS, 0, 26.4),
        (Basis.PROGRESS, 50, 15.4),
        (Basis.PROGRESS, 100, 4.4),
        (Basis.PROGRESS, 150, 4.4),
    ],
)
def test_the_more_of_a_run_is_done_the_closer_its_end_can_be_told(
    basis: Basis, made_after: float, leeway: float
) -> None:
    at = START + 100 * MINUTE
    job = job_in("running", status_since=START, forecast=Forecast(at, basis, START + made_after * MINUTE))

    assert window(job) == Window(at - leeway * MINUTE, at + leeway * MINUTE, 100 * MINUTE)


def test_a_window_opens_and_closes() -> None:
    expected = Window(NOW, NOW + MINUTE, MINUTE)

    phases = [expected.phase(NOW + seconds * timedelta(seconds=1)) for seconds in (-1, 0, 59, 60)]

    assert phases == [Phase.AHEAD, Phase.OPEN, Phase.OPEN, Phase.PASSED]


def test_how_long_a_status_usually_lasts_is_told_by_the_model_else_by_all() -> None:
    stays = [Stay("running", model, minutes * MINUTE) for model, minutes in (("a", 40), ("b", 50)) for _ in range(8)]
    assert usual_length(stays, "running", "b") == 50 * MINUTE
    assert usual_length(stays, "running", "c") == 50 * MINUTE  # all of them agree well enough
    assert usual_length(stays, "queued", "a") is None
