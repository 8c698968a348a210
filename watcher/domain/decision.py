"""What a poll means for its job: the one place that decides it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from watcher.domain.conditions import (
    SHORTEST_STAY,
    Condition,
    found_condition,
    may_be_stuck,
    missing_condition,
    trained_condition,
    unstuck_condition,
)
from watcher.domain.forecast import forecast, forecast_from
from watcher.domain.jobs import Forecast, Job, Observation, Progress
from watcher.domain.notifications import Planned, plan
from watcher.domain.polling_policy import (
    MISSING_TOLERATED,
    PollFailure,
    PollingPolicy,
    PollOutcome,
    after_answer,
    after_failure,
    is_reported_missing,
    trusts_estimate,
    wait_after_answer,
    wait_after_failure,
    wants_progress,
)
from watcher.domain.routing import Events, Route
from watcher.domain.states import is_terminal
from watcher.domain.transitions import Transition, detect, moved

if TYPE_CHECKING:
    from watcher.domain.telemetry import MetricPoint

PollResult = Observation | PollFailure | None
"""What a poll came to: an observation, a failure, or None for an answer that says nothing new."""


@dataclass(frozen=True, slots=True)
class PollContext:
    """What a decision depends on besides the job and the result: the same for jobs that one look finds unchanged."""

    policy: PollingPolicy
    claimed_at: datetime
    """When the job was claimed for this poll. Its `due_at` was moved on by an interval then."""
    routes: Sequence[Route] = ()
    usual_stays: Mapping[str, timedelta] = field(default_factory=dict)
    """How long jobs of the source usually are in a status, where earlier ones tell."""
    has_looked: bool = False
    """Whether the source was asked for the job's progress."""
    progress: Progress | None = None
    """What it said."""
    measured: tuple[MetricPoint, ...] = ()
    """What is known of the training of a job that has succeeded."""
    shortest_stay: timedelta = SHORTEST_STAY
    """A job that was in its status for less was not told as stuck."""


class Decision(NamedTuple):
    """What a poll changes."""

    job: Job
    """The job as it stands after the poll."""
    transition: Transition | None
    recipients: tuple[Planned, ...]
    """Which notifiers get the transition, and when."""
    is_new: bool
    """Whether the store must be written. A quiet poll at a fixed interval changes nothing: claiming the job has
    already moved its due time to where this decision would put it."""
    conditions: tuple[Condition, ...] = ()
    """What the poll has shown: that the job is unknown to its source, or that what may have been told of is over."""

    @property
    def due_at(self) -> datetime | None:
        """When to poll next; None for never again."""
        return self.job.due_at


def decide(job: Job, result: PollResult, context: PollContext, now: datetime, jitter: float) -> Decision:
    """Decide what the result of a poll means. Pure: the same arguments give the same decision.

    `jitter` lies between -1 and 1 and moves the next poll within the policy's spread.
    """
    if isinstance(result, PollFailure):
        return _after_failure(job, result, context, now, jitter)
    return _after_answer(job, result, context, now, jitter)


def _after_failure(job: Job, failure: PollFailure, context: PollContext, now: datetime, jitter: float) -> Decision:
    after = after_failure(job, failure)
    if (
        failure.outcome is not PollOutcome.REJECTED
    ):  # a rejection is the source's: its circuit breaker waits, not the job
        after = after._replace(due_at=now + wait_after_failure(after, failure, context.policy, jitter))
    is_found_missing = failure.outcome is PollOutcome.MISSING and job.missing == MISSING_TOLERATED
    found = (missing_condition(after, now),) if is_found_missing else ()
    return Decision(after, None, (), after != job, found)


def _after_answer(
    job: Job, observation: Observation | None, context: PollContext, now: datetime, jitter: float
) -> Decision:
    transition = detect(job, observation) if observation else None
    after = after_answer(job)
    if transition and context.measured:
        transition = replace(transition, measured=context.measured)
    if transition:
        after = moved(after, transition)
    if observation and observation.facts != after.facts:
        after = after._replace(facts=observation.facts)
    if is_terminal(after.state):
        due_at = None
    else:
        after = _with_forecast(after, observation, context, now)
        due_at = _due_after_answer(after, context, now if transition else None, jitter)
    if due_at != after.due_at:
        after = after._replace(due_at=due_at)
    wanted = plan(transition, context.routes, now) if transition else ()
    is_new = after is not job and after != job
    return Decision(after, transition, wanted, is_new, tuple(_ended(job, after, context, now)))


def _ended(before: Job, after: Job, context: PollContext, now: datetime) -> Iterator[Condition]:
    """Yield the ends of what may have been told of the job; whether it was is for the store to say."""
    if is_reported_missing(before):
        yield found_condition(after)
    if after.status == before.status:
        return
    if may_be_stuck(before, context.shortest_stay, now):
        yield unstuck_condition(after, before, now)
    is_judged = any(Events.METRICS in route.events for route in context.routes)
    if is_judged and is_terminal(after.state) and before.status is not None:
        yield trained_condition(after)


def _due_after_answer(job: Job, context: PollContext, changed_at: datetime | None, jitter: float) -> datetime:
    # What has changed goes on from now, the rest from when it was claimed, so that it keeps its phase.
    begin = changed_at or context.claimed_at
    wait = wait_after_answer(job, context.policy, begin, jitter)
    is_as_claimed = changed_at is None and wait == context.policy.interval
    return job.due_at if is_as_claimed and job.due_at else begin + wait


def _with_forecast(job: Job, observation: Observation | None, context: PollContext, now: datetime) -> Job:
    estimate = observation.facts.estimated_finish if observation else None
    told = observation.progress if observation else None
    if context.has_looked and not trusts_estimate(job, now):
        found: Forecast | None = forecast_from(job, context.progress, now)
    elif told and wants_progress(job, context.policy, now):
        found = forecast_from(job, told, now)
    else:
        found = forecast(job, estimate, context.usual_stays.get(job.status or ""), now)
    return job if found == job.forecast else job._replace(forecast=found)
