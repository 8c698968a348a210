"""When a job is polled next."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import START, job_in
from watcher.domain.jobs import Basis, Forecast, Job
from watcher.domain.polling_policy import (
    MISSING_TOLERATED,
    PollFailure,
    PollingPolicy,
    PollOutcome,
    WebhookProof,
    after_answer,
    after_failure,
    is_reported_missing,
    reason,
    urgency,
    wait_after_answer,
    wait_after_failure,
    wants_look,
    wants_progress,
)

INTERVAL = timedelta(seconds=30)
POLICY = PollingPolicy(INTERVAL, timedelta(minutes=5))
FIXED = replace(POLICY, is_adaptive=False)
LOOKING = replace(POLICY, looks_at_progress=True)
FAILED = PollFailure(PollOutcome.FAILED, "HTTP 503")
MISSING = PollFailure(PollOutcome.MISSING, "HTTP 404")
REJECTED = PollFailure(PollOutcome.REJECTED, "HTTP 401")
HOUR = timedelta(hours=1)


def next_poll(
    job: Job, policy: PollingPolicy, now: datetime, jitter: float, failure: PollFailure | None = None
) -> datetime:
    """Return when a job is polled next that stands so after its last poll."""
    if failure:
        return now + wait_after_failure(job, failure, policy, jitter)
    return now + wait_after_answer(job, policy, now, jitter)


def expected_in(length: timedelta, basis: Basis = Basis.ESTIMATED_FINISH) -> Job:
    """Return a job that has been running since START and is expected to end after the length."""
    return job_in("running", status_since=START, forecast=Forecast(START + length, basis, START))


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def wait(job: Job, at: datetime, polling_policy: PollingPolicy = POLICY, jitter: float = -1.0) -> float:
    """Return the seconds until the next poll; without chance, unless it is asked for."""
    due_at = next_poll(job, polling_policy, at, jitter)
    assert due_at is not None
    return (due_at - at).total_seconds()


def wait_after(
    failures: int, trouble: PollFailure = FAILED, interval: timedelta = INTERVAL, jitter: float = -1.0
) -> timedelta:
    polling_policy = PollingPolicy(interval, max(interval, timedelta(minutes=5)))
    at = next_poll(job_in("running", failures=failures), polling_policy, START, jitter, trouble)
    assert at is not None
    return at - START


@pytest.mark.parametrize("polling_policy", [POLICY, FIXED])
def test_a_job_of_which_nothing_is_expected_is_polled_after_exactly_the_interval(polling_policy: PollingPolicy) -> None:
    assert next_poll(job_in("running"), polling_policy, START, 1.0) == START + INTERVAL
    assert next_poll(job_in("running", status_since=after(-5)), polling_policy, START, 0.3) == START + INTERVAL


def test_an_unknown_status_never_stops_the_polling() -> None:
    assert next_poll(job_in("paused"), POLICY, START, 0.0) == START + INTERVAL


@pytest.mark.parametrize(
    ("minutes", "seconds"),
    [(10, 90), (46.3, 30), (47, 30), (60, 30), (73, 30), (74, 30)],
    ids=["long before", "just before", "at its beginning", "at the end", "overdue", "outlived"],
)
def test_a_job_expected_to_run_an_hour_is_polled_seldom_and_at_the_interval_around_its_end(
    minutes: float, seconds: float
) -> None:
    assert wait(expected_in(HOUR), after(minutes)) == pytest.approx(seconds, abs=0.1)


@pytest.mark.parametrize(
    ("hours", "seldom", "often"),
    [(8, 180, 60), (1, 90, 30), (1 / 8, 45, 15), (1 / 27, 30, 10), (27, 180, 90), (343, 180, 180)],
)
def test_what_lasts_longer_is_polled_less_often(hours: float, seldom: float, often: float) -> None:
    job = expected_in(hours * HOUR)

    assert wait(job, START + hours * HOUR * 0.05) == pytest.approx(seldom, abs=0.1)
    assert wait(job, START + hours * HOUR) == pytest.approx(often, abs=0.1)


def test_no_wait_passes_the_moment_from_which_the_end_is_expected() -> None:
    assert wait(expected_in(HOUR), after(45.8)) == pytest.approx(60, abs=0.1)


def test_a_job_that_outlives_what_was_expected_is_polled_after_exactly_the_interval() -> None:
    assert next_poll(expected_in(HOUR / 8), POLICY, after(30), 1.0) == after(30) + INTERVAL


def test_a_status_of_a_few_intervals_is_not_worth_minding() -> None:
    assert next_poll(expected_in(INTERVAL * 3), POLICY, START + INTERVAL, 1.0) == START + INTERVAL * 2


def test_a_fixed_cadence_minds_no_forecast() -> None:
    assert next_poll(expected_in(HOUR), FIXED, after(10), 1.0) == after(10) + INTERVAL


def test_a_job_that_runs_is_polled_seldom_where_webhooks_tell_of_ends() -> None:
    """They tell of no other status, and a fixed cadence is what it says."""
    told, long_ago = replace(POLICY, hears_ends=True), START - HOUR
    running, queued = (job_in(status, status_since=long_ago) for status in ("running", "queued"))

    assert wait(running, START, told) == told.longest / timedelta(seconds=1) == 300
    assert wait(queued, START, told) == wait(running, START, replace(told, is_adaptive=False)) == 30
    assert reason(running, told, START) == "every 5m, as webhooks tell of the ends of jobs here"


def test_webhooks_are_relied_on_after_three_ends_in_a_row_and_for_a_day() -> None:
    proof = WebhookProof()
    held = []
    for was_told in (True, True, False, True, True, True):
        proof = proof.after_end(START, was_told=was_told)
        held.append(proof.holds(START))

    assert held == [False] * 5 + [True]
    assert proof.holds(START + timedelta(hours=23))
    assert not proof.holds(START + timedelta(days=1))


def test_jobs_seen_together_are_sent_apart_within_the_interval() -> None:
    job = job_in("running", status_since=START)

    assert [wait(job, START, jitter=jitter) for jitter in (-1, 0, 1)] == [5, 17.5, 30]
    assert wait(job, START + timedelta(seconds=5), jitter=0.0) == 30  # once is enough


def test_jobs_expected_to_end_together_are_kept_apart() -> None:
    assert wait(expected_in(HOUR), after(10), jitter=1.0) == pytest.approx(81)
    assert wait(expected_in(HOUR), START, jitter=0.0) == pytest.approx(47.5)


def test_a_clock_that_was_set_back_costs_no_polls() -> None:
    assert next_poll(job_in("running", status_since=after(60)), POLICY, START, 0.0) == START + INTERVAL


@pytest.mark.parametrize(("interval", "shortest"), [(60, 10), (30, 5), (2, 1), (1, 1), (0.1, 0.1)])
def test_the_shortest_wait_is_polite(interval: float, shortest: float) -> None:
    assert PollingPolicy(timedelta(seconds=interval), HOUR).shortest == timedelta(seconds=shortest)


@pytest.mark.parametrize(
    ("polling_policy", "minutes"), [(POLICY, 3), (replace(POLICY, max_interval=timedelta(minutes=2)), 2), (FIXED, 0.5)]
)
def test_the_longest_wait_is_six_intervals_unless_the_settings_want_less(
    polling_policy: PollingPolicy, minutes: float
) -> None:
    assert polling_policy.longest == timedelta(minutes=minutes)
    assert wait(expected_in(24 * HOUR), START + HOUR, polling_policy) == polling_policy.longest.total_seconds()


@given(
    st.timedeltas(timedelta(milliseconds=1), timedelta(days=30)),
    st.timedeltas(timedelta(milliseconds=1), timedelta(hours=2)),
    st.floats(1, 100),
    st.timedeltas(timedelta(days=-1), timedelta(days=40)),
    st.floats(-1, 1),
    st.sampled_from(Basis),
)
def test_no_wait_is_longer_than_the_longest_nor_shorter_than_is_polite(
    length: timedelta, interval: timedelta, longer: float, age: timedelta, jitter: float, basis: Basis
) -> None:
    polling_policy = PollingPolicy(interval, interval * longer)

    seconds = wait(expected_in(length, basis), START + age, polling_policy, jitter)

    assert seconds <= polling_policy.longest.total_seconds() <= polling_policy.max_interval.total_seconds()
    assert seconds >= polling_policy.shortest.total_seconds() * 0.9 - 1e-5


@pytest.mark.parametrize(("failures", "seconds"), [(1, 60), (2, 120), (3, 240), (4, 300), (5, 300), (10**6, 300)])
def test_failed_polls_double_the_wait_up_to_the_longest(failures: int, seconds: int) -> None:
    assert wait_after(failures) == timedelta(seconds=seconds)


@given(st.integers(1, 10**9), st.floats(-1, 1), st.timedeltas(timedelta(milliseconds=1), timedelta(days=365)))
def test_a_back_off_never_passes_the_longest_wait_nor_undercuts_the_interval(
    failures: int, jitter: float, interval: timedelta
) -> None:
    wait = wait_after(failures, interval=interval, jitter=jitter)

    assert wait <= max(timedelta(minutes=5), interval)
    assert wait >= min(interval, timedelta(minutes=5)) * 0.9 - timedelta(microseconds=1)


@pytest.mark.parametrize(("asked", "waits"), [(10, 60), (90, 90), (3600, 120)])
def test_a_source_may_ask_for_a_longer_wait_up_to_two_minutes(asked: int, waits: int) -> None:
    trouble = PollFailure(PollOutcome.FAILED, "HTTP 429", timedelta(seconds=asked))

    assert wait_after(1, trouble) == timedelta(seconds=waits)


def test_what_a_source_asks_for_may_pass_the_longest_wait() -> None:
    trouble = PollFailure(PollOutcome.FAILED, "HTTP 429", timedelta(seconds=90))

    assert next_poll(job_in("running", failures=1), PollingPolicy(INTERVAL, INTERVAL), START, 0.0, trouble) == after(
        1.5
    )


def test_a_missing_job_is_asked_for_soon_three_times_then_seldom() -> None:
    job, waits = job_in(None), []
    for _ in range(4):
        job = after_failure(job, MISSING)
        at = next_poll(job, POLICY, START, -1.0, MISSING)
        assert at is not None
        waits.append((is_reported_missing(job), (at - START).total_seconds()))

    assert waits == [(False, 5), (False, 5), (False, 5), (True, 300)]


def test_another_failure_between_is_no_404_in_a_row() -> None:
    job = after_failure(after_failure(after_failure(job_in(None), MISSING), MISSING), FAILED)

    assert (job.missing, job.failures, job.last_error) == (0, 3, "HTTP 503")


def test_another_failure_does_not_show_that_a_missing_job_is_known_again() -> None:
    job = job_in(None, missing=MISSING_TOLERATED + 1)

    assert after_failure(after_failure(job, FAILED), MISSING).missing == MISSING_TOLERATED + 2
    assert after_answer(job).missing == 0


def test_an_answer_forgives_everything() -> None:
    assert after_answer(after_failure(job_in("running"), MISSING)) == job_in("running")


def test_a_rejection_is_the_sources_trouble_and_waits_a_minute() -> None:
    job = after_failure(job_in("running"), REJECTED)

    assert (job.failures, job.last_error) == (0, "HTTP 401")
    assert next_poll(job, POLICY, START, 0.0, REJECTED) == START + timedelta(minutes=1)


LOOKED = Forecast(after(60), Basis.PROGRESS, after(20))


@pytest.mark.parametrize(
    ("job", "minutes", "is_wanted"),
    [
        (job_in("running", status_since=START), 3.9, False),
        (job_in("running", status_since=START), 4, True),
        (job_in("running", status_since=START, forecast=LOOKED), 29.9, False),
        (job_in("running", status_since=START, forecast=LOOKED), 30, True),
        (job_in("running", status_since=START, forecast=replace(LOOKED, at=None)), 29.9, False),
        (job_in("running", status_since=START, forecast=replace(LOOKED, at=None)), 30, True),
        (expected_in(HOUR, Basis.HISTORY), 10, True),
        (expected_in(HOUR, Basis.ESTIMATED_FINISH), 10, True),
        (job_in("running"), 10, False),
        (job_in("queued", status_since=START), 10, False),
    ],
    ids=[
        "at first it has done too little",
        "then a first time",
        "not again soon",
        "again when it is half as old again",
        "what said nothing is not asked again soon",
        "but later",
        "steps know better than earlier jobs",
        "the service's own estimate says nothing of losses",
        "not without knowing since when",
        "what does not run makes no steps",
    ],
)
def test_progress_is_looked_at_seldom_and_only_when_it_may_tell_something(
    job: Job, minutes: float, is_wanted: bool
) -> None:
    assert wants_look(job, LOOKING, after(minutes)) is is_wanted


def test_progress_is_not_looked_at_unasked() -> None:
    assert not wants_look(job_in("running", status_since=START), POLICY, after(10))


def test_a_fixed_cadence_looks_as_often_as_any() -> None:
    assert wants_look(job_in("running", status_since=START), replace(LOOKING, is_adaptive=False), after(10))


def test_what_was_looked_at_is_looked_at_again_when_it_is_older_and_sooner_where_it_is_judged() -> None:
    job = expected_in(HOUR, Basis.ESTIMATED_FINISH)
    wants = partial(wants_look, job, LOOKING, looked_at=after(20))
    assert not wants(now=after(29.9))
    assert wants(now=after(30))
    assert not wants(now=after(21.9), is_judged=True)
    assert wants(now=after(22), is_judged=True)


@pytest.mark.parametrize(
    ("job", "minutes", "is_wanted"),
    [
        (expected_in(HOUR, Basis.ESTIMATED_FINISH), 10, False),
        (expected_in(HOUR, Basis.ESTIMATED_FINISH), 70, False),
        (expected_in(HOUR, Basis.ESTIMATED_FINISH), 80, True),
        (expected_in(HOUR, Basis.HISTORY), 10, True),
        (job_in("queued", status_since=START), 10, False),
        (job_in("running"), 10, False),
    ],
    ids=[
        "the service knows better than steps",
        "as long as it may be right",
        "but not for ever",
        "steps know better than earlier jobs",
        "what does not run makes no steps",
        "not without knowing since when",
    ],
)
def test_steps_make_a_forecast_where_nothing_better_does(job: Job, minutes: float, is_wanted: bool) -> None:
    assert wants_progress(job, POLICY, after(minutes)) is is_wanted


def ranked(*jobs: Job, now: datetime) -> list[str]:
    return [str(job.name) for job in sorted(jobs, key=lambda job: -urgency(job, POLICY, now))]


def test_what_may_change_soon_is_the_most_urgent_and_nobody_starves() -> None:
    now = after(10)
    unseen = job_in(None, name="unseen", due_at=now)
    ending = expected_in(HOUR / 6)._replace(name="ending", due_at=now)
    vague = job_in("queued", name="vague", due_at=now, status_since=START)
    far = expected_in(HOUR)._replace(name="far", due_at=now)

    assert ranked(far, vague, ending, unseen, now=now) == ["unseen", "ending", "vague", "far"]
    starving = far._replace(name="starving", due_at=now - timedelta(minutes=10))
    assert ranked(far, starving, vague, ending, unseen, now=now)[0] == "starving"


def test_what_is_not_polled_is_not_urgent() -> None:
    assert urgency(job_in("running"), POLICY, START) == 0.0


@pytest.mark.parametrize(
    ("job", "minutes", "words"),
    [
        (job_in("running", status_since=START), 10, "every 30s"),
        (job_in(None), 0, "every 30s"),
        (
            expected_in(HOUR),
            45,
            (
                "'running' is expected to end in 15m by the API's own estimate, "
                "so it is asked for seldom until that is near"
            ),
        ),
        (
            expected_in(HOUR / 8, Basis.HISTORY),
            7,
            "'running' is expected to end in 30s by how long earlier jobs took, so it is asked for every 15s",
        ),
        (
            expected_in(HOUR, Basis.PROGRESS),
            61,
            "'running' is expected to end 1m ago by the steps that it has done, so it is asked for every 30s",
        ),
        (
            expected_in(HOUR),
            80,
            "every 30s, as 'running' has outlived its expected end, 20m ago by the API's own estimate",
        ),
        (expected_in(INTERVAL), 0, "every 30s"),
    ],
)
def test_the_wait_has_its_reason(job: Job, minutes: float, words: str) -> None:
    assert reason(job, POLICY, after(minutes)) == words


def test_a_fixed_cadence_needs_no_reason() -> None:
    assert reason(expected_in(HOUR), FIXED, after(10)) == "every 30s"
