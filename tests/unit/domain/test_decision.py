"""What a poll means for its job."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.doubles import START, job_in, observation, planned
from watcher.domain.decision import PollContext, decide
from watcher.domain.jobs import Basis, Job, JobFacts, Progress, ProgressUnit
from watcher.domain.polling_policy import PollFailure, PollingPolicy, PollOutcome
from watcher.domain.routing import Events, FirstSeen, Route

INTERVAL = timedelta(seconds=30)
ADAPTIVE = PollingPolicy(INTERVAL, timedelta(minutes=5))
FIXED = PollingPolicy(INTERVAL, timedelta(minutes=5), is_adaptive=False)
LATER = START + timedelta(seconds=2)
"""The answer comes two seconds after the job was claimed."""
ROUTES = (Route("chat", statuses=frozenset({"failed"})), Route("all", first_seen=FirstSeen.ALWAYS))


def context(policy: PollingPolicy = FIXED, **changes: object) -> PollContext:
    return replace(PollContext(policy, START, ROUTES), **changes)  # type: ignore[arg-type]


def claimed(status: str | None, **attributes: object) -> Job:
    """Return a job whose claim has moved its due time on by an interval."""
    usual = {"due_at": START + INTERVAL, "status_since": START - timedelta(hours=1), "facts": JobFacts()}
    return job_in(status, **{**usual, **attributes})


def failure(outcome: PollOutcome, retry_after: timedelta | None = None) -> PollFailure:
    return PollFailure(outcome, "HTTP 5xx", retry_after)


def test_a_quiet_poll_at_a_fixed_interval_changes_nothing() -> None:
    """Claiming has moved the due time already, so the store need not be written."""
    job = claimed("running")
    for result in (None, observation("running", LATER)):
        decision = decide(job, result, context(), LATER, 0)
        assert (decision.job, decision.is_new, decision.due_at) == (job, False, START + INTERVAL)


def test_a_job_that_was_never_claimed_is_due_an_interval_later() -> None:
    assert decide(job_in("running"), None, context(claimed_at=LATER), LATER, 0).due_at == LATER + INTERVAL


def test_a_change_is_a_transition_for_the_routes_that_want_it_and_goes_on_from_now() -> None:
    decision = decide(claimed("queued"), observation("running", LATER), context(), LATER, 0)

    assert decision.transition is not None
    assert (decision.transition.previous_status, decision.job.status) == ("queued", "running")
    assert decision.recipients == planned("all")
    assert decision.is_new
    assert decision.due_at is not None
    assert LATER < decision.due_at <= LATER + INTERVAL


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_a_job_that_has_ended_is_polled_no_more(status: str) -> None:
    decision = decide(claimed("running"), observation(status, LATER), context(), LATER, 0)

    assert decision.due_at is None
    assert decision.job.due_at is None


def test_an_answer_ends_what_failures_began() -> None:
    job = claimed("running", failures=3, missing=2, last_error="HTTP 503")
    decision = decide(job, None, context(), LATER, 0)

    assert (decision.job.failures, decision.job.missing, decision.job.last_error) == (0, 0, None)
    assert decision.is_new


def test_a_failure_counts_and_moves_the_next_poll_out() -> None:
    decision = decide(claimed("running"), failure(PollOutcome.FAILED), context(), LATER, 0)

    assert (decision.job.failures, decision.job.last_error, decision.transition) == (1, "HTTP 5xx", None)
    assert decision.due_at is not None
    assert decision.due_at > LATER + INTERVAL


def test_a_rejection_leaves_the_due_time_to_the_circuit_breaker() -> None:
    job = claimed("running")
    decision = decide(job, failure(PollOutcome.REJECTED), context(), LATER, 0)
    again = decide(decision.job, failure(PollOutcome.REJECTED), context(), LATER, 0)

    assert (decision.job.failures, decision.due_at, decision.is_new) == (0, job.due_at, True)
    assert not again.is_new


def test_only_the_fourth_404_in_a_row_finds_a_job_missing() -> None:
    job, found = claimed("running"), []
    for _ in range(6):
        decision = decide(job, failure(PollOutcome.MISSING), context(), LATER, 0)
        job = decision.job
        found.append(bool(decision.conditions))

    assert found == [False, False, False, True, False, False]


def test_a_503_between_two_404s_tells_a_missing_job_once() -> None:
    job, found = claimed("running"), 0
    for outcome in [PollOutcome.MISSING] * 4 + [PollOutcome.FAILED] * 3 + [PollOutcome.MISSING] * 5:
        decision = decide(job, failure(outcome), context(), LATER, 0)
        job = decision.job
        found += len(decision.conditions)

    assert found == 1


@pytest.mark.parametrize(
    ("progress", "estimate", "basis"),
    [
        pytest.param(Progress(30, 100, START), None, Basis.PROGRESS, id="a look"),
        pytest.param(None, START + timedelta(hours=2), Basis.ESTIMATED_FINISH, id="the service's estimate"),
    ],
)
def test_what_is_expected_is_kept_and_sets_the_next_poll(
    progress: Progress | None, estimate: datetime | None, basis: Basis
) -> None:
    seen = observation("running", LATER, facts=JobFacts(estimated_finish=estimate))
    decision = decide(
        claimed("running"), seen, context(ADAPTIVE, has_looked=progress is not None, progress=progress), LATER, 0
    )

    assert decision.job.forecast is not None
    assert decision.job.forecast.basis is basis
    assert decision.due_at is not None
    assert decision.due_at > START + INTERVAL


def test_a_job_object_that_says_how_far_the_job_is_gives_a_forecast_without_a_look() -> None:
    """But not at each poll: a forecast is recorded."""
    told = replace(observation("running", LATER), progress=Progress(30, 100, LATER, ProgressUnit.PERCENT))
    job = claimed("running")._replace(status_since=LATER - 100 * INTERVAL)
    first = decide(job, told, context(ADAPTIVE), LATER, 0)
    assert first.job.forecast is not None
    assert first.job.forecast.basis is Basis.PROGRESS
    assert decide(first.job, told, context(ADAPTIVE), LATER + INTERVAL, 0).job.forecast == first.job.forecast


@pytest.mark.parametrize("at", [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)])
def test_an_event_of_an_impossible_time_is_no_forecast(at: datetime) -> None:
    looked = context(ADAPTIVE, has_looked=True, progress=Progress(1, 10**15, at))
    decision = decide(claimed("running"), None, looked, LATER, 0)

    assert decision.job.forecast is not None
    assert decision.job.forecast.at is None


def test_the_same_arguments_give_the_same_decision() -> None:
    arguments = (claimed("queued"), observation("running", LATER), context(), LATER, 0)
    assert decide(*arguments) == decide(*arguments)


@pytest.mark.parametrize(
    ("job", "seen", "types"),
    [
        pytest.param(claimed("queued"), "running", ["unstuck"], id="long in its status"),
        pytest.param(claimed("queued", status_since=START), "running", [], id="not long in its status"),
        pytest.param(claimed("running", status_since=START), "failed", ["metrics_ended"], id="over"),
        pytest.param(claimed("running", missing=4), "running", ["found"], id="known again"),
        pytest.param(claimed("running", missing=3), "running", [], id="not told as missing"),
        pytest.param(claimed("running", missing=4), "succeeded", ["found", "unstuck", "metrics_ended"], id="all"),
        pytest.param(claimed(None, status_since=None), "succeeded", [], id="a first sight"),
    ],
)
def test_a_poll_shows_that_what_may_have_been_told_is_over(job: Job, seen: str, types: list[str]) -> None:
    judged = context(routes=[Route("all", events=frozenset(Events))])
    decision = decide(job, observation(seen, LATER), judged, LATER, 0)

    assert [condition.type.rpartition(".")[2] for condition in decision.conditions] == types
    assert all(condition.is_good for condition in decision.conditions)


def test_where_nobody_hears_how_jobs_train_no_end_of_it_is_looked_for() -> None:
    decision = decide(claimed("running", status_since=START), observation("failed", LATER), context(), LATER, 0)
    assert decision.conditions == ()
