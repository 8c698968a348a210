"""How long until a job's next poll."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import cbrt

from watcher.domain.durations import format_duration
from watcher.domain.forecast import Phase, Window, window
from watcher.domain.jobs import Basis, Job
from watcher.domain.states import JobState

LONGEST_INTERVAL = timedelta(minutes=5)
"""The longest wait between two polls, failed ones too, unless the settings say otherwise."""
LONGEST_RETRY_AFTER = timedelta(seconds=120)
"""The longest wait that an API may ask for; the official SDK honours as much."""
PROBE_INTERVAL = timedelta(minutes=1)
"""How often a source that rejects us is asked again."""
MISSING_TOLERATED = 3
"""404 answers in a row that are taken for a job just created."""
MISSING_INTERVAL = timedelta(seconds=5)
"""How soon a tolerated 404 is asked again: a job just created appears within seconds."""
_SPREAD = 0.1
"""The share of a wait that jitter may take off, so that jobs which fell due together drift apart."""
_SELDOM = 3
"""How many times longer the wait is while a status is not expected to end: jobs fail and are cancelled early, too."""
_TYPICAL = timedelta(hours=1)
"""A status that lasts so long is asked for every `interval` when its end is near.

The wait grows with the cube root of the length: what lasts long takes most requests, and its end can be heard of a
little later. A square root would cost the fewest requests for a mean delay, but brings more of the long delays.
"""
_RANGE = 6
"""No wait is shorter than the interval over this, nor longer than this many intervals."""
_SHORTEST_WAIT = timedelta(seconds=1)
"""Nor is it shorter than this, before chance comes in: that would be impolite."""
_WORTHWHILE = 4
"""Intervals that a status must be expected to last before its expected end is used."""
_FIRST_LOOK = 8
"""Intervals that a job must have been running before its progress is looked at: its first steps say little."""
TELLS_IN_A_ROW = 3
"""Ends in a row that webhooks told of before they are relied on."""
TELLS_LAST = timedelta(days=1)
"""How long that is relied on without another one."""
_LOOK_AGAIN = 1.5
"""How many times older a run is at each look at its progress than at the last one."""
_JUDGE_AGAIN = 1.1
"""The same where somebody wants to hear what goes wrong with it."""


@dataclass(frozen=True, slots=True)
class PollingPolicy:
    """What the settings say of how often to look at the jobs of a source."""

    interval: timedelta
    """The fixed wait between two polls of a job, and the measure of the adaptive one."""
    max_interval: timedelta
    """The longest wait between two polls, failed ones too; at least `interval`."""
    is_adaptive: bool = True
    """Whether a job is asked for more often when its status is about to end, and less often before."""
    looks_at_progress: bool = False
    """Whether the source may be asked for a job's progress; each look is a request."""
    hears_ends: bool = False
    """Whether webhooks have proven to tell of ends: see `WebhookProof`. They tell of nothing else, so only jobs that
    run are asked for less often, and polling goes on, for one may be lost."""

    @property
    def longest(self) -> timedelta:
        """The longest wait between two polls that were answered."""
        if self.relies_on_webhooks:
            return self.max_interval
        return min(self.interval * _RANGE, self.max_interval) if self.is_adaptive else self.interval

    @property
    def relies_on_webhooks(self) -> bool:
        """Whether jobs that run are asked for as seldom as may be, since webhooks tell of their ends."""
        return self.is_adaptive and self.hears_ends

    @property
    def shortest(self) -> timedelta:
        """The shortest wait between two polls that were answered, before chance comes in."""
        return min(self.interval, max(self.interval / _RANGE, _SHORTEST_WAIT))


@dataclass(frozen=True, slots=True)
class WebhookProof:
    """Whether webhooks of a source arrive here, judged by the ends of jobs that polls have found."""

    in_a_row: int = 0
    """Ends, the last ones, that a webhook had told of before."""
    last_at: datetime | None = None
    """When the last one was found."""

    def after_end(self, now: datetime, *, was_told: bool) -> WebhookProof:
        """Return how it stands after one more end; one that no webhook told of takes all proof away."""
        return WebhookProof(self.in_a_row + 1, now) if was_told else WebhookProof()

    def holds(self, now: datetime) -> bool:
        """Tell whether webhooks can be relied on."""
        return self.in_a_row >= TELLS_IN_A_ROW and self.last_at is not None and now - self.last_at < TELLS_LAST


class PollOutcome(StrEnum):
    """What a poll came to."""

    ANSWERED = "answered"
    FAILED = "failed"
    MISSING = "missing"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class PollFailure:
    """A poll that brought no observation."""

    outcome: PollOutcome
    error: str
    retry_after: timedelta | None = None
    """How long the source asked to be left alone."""
    request_id: str | None = None
    """The API's own name of the exchange."""


def after_failure(job: Job, failure: PollFailure) -> Job:
    """Return the job after a poll without an observation. A rejection is the source's failure, not the job's."""
    if failure.outcome is PollOutcome.REJECTED:
        return job._replace(last_error=failure.error)
    if failure.outcome is PollOutcome.MISSING:
        missing = job.missing + 1
    else:  # 404s count in a row; but only an answer shows that the source knows again a job that was reported missing
        missing = job.missing if is_reported_missing(job) else 0
    return job._replace(failures=job.failures + 1, missing=missing, last_error=failure.error)


def after_answer(job: Job) -> Job:
    """Return the job after a poll that was answered; the same object when no poll had failed."""
    if not job.failures and not job.missing and job.last_error is None:
        return job
    return job._replace(failures=0, missing=0, last_error=None)


def is_reported_missing(job: Job) -> bool:
    """Return whether the job has been missing too often for it to be just created."""
    return job.missing > MISSING_TOLERATED


def wait_after_failure(job: Job, failure: PollFailure, policy: PollingPolicy, jitter: float) -> timedelta:
    """Return how long to wait before the next poll of a job, given how it stands after a failed one."""
    if failure.outcome is PollOutcome.REJECTED:
        return max(policy.interval, PROBE_INTERVAL)
    if failure.outcome is PollOutcome.MISSING and not is_reported_missing(job):
        return min(policy.interval, MISSING_INTERVAL)
    asked = min(failure.retry_after or timedelta(), LONGEST_RETRY_AFTER)
    return max(_apart(_backoff(job.failures, policy), jitter), asked)


def wait_after_answer(job: Job, policy: PollingPolicy, now: datetime, jitter: float) -> timedelta:
    """Return how long to wait before the next poll of a job, given how it stands after an answer.

    `jitter` lies between -1 and 1. A job of which nothing is expected is due after exactly the interval.
    """
    wait = _wait(job, policy, now)
    if job.status_since and _has_just_begun(now - job.status_since, policy):
        # It has just been seen in this status, maybe with many other jobs: they are not to go on in step.
        return policy.shortest + (wait - policy.shortest) * ((1 + jitter) / 2)
    return wait if wait == policy.interval else _apart(wait, jitter)


def wants_look(
    job: Job, policy: PollingPolicy, now: datetime, looked_at: datetime | None = None, *, is_judged: bool = False
) -> bool:
    """Tell whether a look at the job's progress is worth its request now: the longer the run, the less often.

    `looked_at` is when the last look was, as far as that is remembered. A run that is judged by what it measures is
    looked at more often, so that what goes wrong is found within a tenth of its age.
    """
    if not policy.looks_at_progress or job.state is not JobState.RUNNING or not job.status_since:
        return False
    held = job.forecast
    looks = [at for at in (looked_at, held.made_at if held and held.basis is Basis.PROGRESS else None) if at]
    return _is_older(
        job.status_since, max(looks, default=None), _JUDGE_AGAIN if is_judged else _LOOK_AGAIN, policy, now
    )


def wants_progress(job: Job, policy: PollingPolicy, now: datetime) -> bool:
    """Tell whether what is told of the job's progress would give a better forecast; each forecast is recorded."""
    if job.state is not JobState.RUNNING or not job.status_since or trusts_estimate(job, now):
        return False
    return _is_older(job.status_since, job.forecast.made_at if job.forecast else None, _LOOK_AGAIN, policy, now)


def trusts_estimate(job: Job, now: datetime) -> bool:
    """Tell whether the service's own estimate of the end stands, which is better than what the steps say."""
    held, expected = job.forecast, window(job)
    is_told = held is not None and held.basis is Basis.ESTIMATED_FINISH
    return is_told and expected is not None and expected.phase(now) is not Phase.PASSED


def _is_older(since: datetime, last: datetime | None, times: float, policy: PollingPolicy, now: datetime) -> bool:
    """Tell whether a run has become so many times older since the last look, or old enough for the first one."""
    age_at_last = last - since if last else timedelta()
    return now - since >= max(policy.interval * _FIRST_LOOK, age_at_last * times)


def urgency(job: Job, policy: PollingPolicy, now: datetime) -> float:
    """Rank a due job among those that compete for a budget of requests: the greater, the sooner it is served.

    It is how long the job has been due, measured by the wait that it deserves: jobs that may change soon come
    first, and what has been due for long enough comes before them. A job never seen comes first of its age.
    """
    if job.due_at is None:
        return 0.0
    deserved = _wait(job, policy, now) if job.status else policy.shortest
    return (max(now - job.due_at, timedelta()) + policy.interval) / deserved


def reason(job: Job, policy: PollingPolicy, now: datetime) -> str:
    """Return the reason for the polling interval of a job without failure, for people."""
    every = f"every {format_duration(_wait(job, policy, now))}"
    if _is_announced(job, policy):
        return f"{every}, as webhooks tell of the ends of jobs here"
    expected = _worthwhile(job, policy)
    if expected is None or job.forecast is None or job.forecast.at is None:
        return every
    told = f"{_when(job.forecast.at, now)} by {_BASES[job.forecast.basis]}"
    match expected.phase(now):
        case Phase.PASSED:
            return f"{every}, as '{job.status}' has outlived its expected end, {told}"
        case Phase.OPEN:
            return f"'{job.status}' is expected to end {told}, so it is asked for {every}"
        case _:
            return f"'{job.status}' is expected to end {told}, so it is asked for seldom until that is near"


_BASES = {
    Basis.ESTIMATED_FINISH: "the API's own estimate",
    Basis.PROGRESS: "the steps that it has done",
    Basis.HISTORY: "how long earlier jobs took",
}


def _when(at: datetime, now: datetime) -> str:
    return f"in {format_duration(at - now)}" if at > now else f"{format_duration(now - at)} ago"


def _has_just_begun(age: timedelta, policy: PollingPolicy) -> bool:
    return timedelta() <= age < policy.interval and age < policy.shortest * (1 - _SPREAD)


def _wait(job: Job, policy: PollingPolicy, now: datetime) -> timedelta:
    """Return the wait before chance comes in: the interval, unless the end of the status can be foreseen."""
    if _is_announced(job, policy):
        return policy.max_interval
    expected = _worthwhile(job, policy)
    if expected is None or expected.phase(now) is Phase.PASSED:
        return policy.interval
    longest = policy.longest
    often = min(max(policy.interval * cbrt(expected.length / _TYPICAL), policy.shortest), longest)
    return max(min(often * _SELDOM, longest, expected.begin - now), often)


def _is_announced(job: Job, policy: PollingPolicy) -> bool:
    """Tell whether a webhook is expected to tell of what the job does next."""
    return policy.relies_on_webhooks and job.state is JobState.RUNNING


def _worthwhile(job: Job, policy: PollingPolicy) -> Window | None:
    """Return when the job's status is expected to end, if the policy uses that."""
    expected = window(job) if policy.is_adaptive else None
    return expected if expected and expected.length >= policy.interval * _WORTHWHILE else None


def _apart(wait: timedelta, jitter: float) -> timedelta:
    return wait * (1 - _SPREAD * (1 + jitter) / 2)


def _backoff(failures: int, policy: PollingPolicy) -> timedelta:
    doublings = min(failures, 20)  # any interval has reached the bound by then, and none overflows
    return min(policy.interval * (1 << doublings), policy.max_interval)
