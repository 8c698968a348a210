"""Follows made-up lives of jobs with the polling policy that the watcher itself uses, and counts what that costs."""

from __future__ import annotations

import random
import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from tests.benchmarks.lives import ALL_KINDS, SEED, Life, Population, lives
from watcher.domain.forecast import forecast, forecast_from, usual_stay
from watcher.domain.jobs import Job, JobFacts, JobKey, Observation
from watcher.domain.polling_policy import PollingPolicy, wait_after_answer, wants_look
from watcher.domain.states import OPENAI_STATES, Status, is_terminal
from watcher.domain.transitions import Reason, Transition, detect, moved

MAX_INTERVAL = timedelta(minutes=5)
REMEMBERED = 50
"""How many earlier jobs the store tells of."""
KEY = JobKey("openai", "ftjob-1")


@dataclass(frozen=True, slots=True)
class Case:
    """What the policy can know of the jobs."""

    name: str
    factor: Callable[[Life], float] | None = None
    """How far off the API's estimate of a run's length is; None: there is none."""
    looks: bool = False
    """Whether the policy may look at the progress."""
    remembers: bool = False
    """Whether earlier jobs are remembered."""
    told_after: timedelta | None = None
    """How long after its end a webhook tells of it; None: there are no webhooks."""
    population: Population = ALL_KINDS
    target: float = 1.0
    """What the product may be at most, as a ratio to that of the fixed policy."""


@dataclass(slots=True)
class Toll:
    """What the policy costs: for each life, its requests, and how late its end was found."""

    requests: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    """In seconds."""

    @property
    def mean_requests(self) -> float:
        """Requests per job."""
        return statistics.fmean(self.requests)

    @property
    def mean_delay(self) -> float:
        """Seconds from the end of a job to its detection."""
        return statistics.fmean(self.delays)

    @property
    def p95(self) -> float:
        """The delay, in seconds, that one job in twenty exceeds."""
        return sorted(self.delays)[len(self.delays) * 95 // 100]

    @property
    def product(self) -> float:
        """Requests times mean delay."""
        return self.mean_requests * self.mean_delay


class Follower:
    """Follows one life after the other, and remembers."""

    def __init__(self, polling_policy: PollingPolicy, case: Case) -> None:
        self._polling_policy = polling_policy
        self._case = case
        self._chance = random.Random(SEED)
        self._durations: dict[str | None, deque[timedelta]] = {}
        self.toll = Toll()

    def follow(self, life: Life) -> None:
        """Poll a job until its end is found; never with more than the longest wait between two polls."""
        job, now, requests = Job(KEY), life.added_at, 0
        estimate = life.estimate(self._case.factor(life)) if self._case.factor else None
        entered: Reason | None = None
        while True:
            requests += 1
            status = life.status_at(now)
            transition = (
                None
                if status == job.status
                else detect(job, Observation(KEY, status, OPENAI_STATES(status), now, JobFacts(), "{}"))
            )
            if transition:
                self._remember(transition, entered)
                job, entered = moved(job, transition), transition.reason
            if is_terminal(job.state):
                self.toll.requests.append(requests)
                self.toll.delays.append((now - life.end).total_seconds())
                return
            if self._polling_policy.is_adaptive:
                # An object that has not changed is not read again, so its estimate is heard once.
                heard = estimate if transition else None
                told = forecast(job, heard, usual_stay(self._durations.get(job.status, ())), now)
                job = job if told is job.forecast else job._replace(forecast=told)
            if wants_look(job, self._polling_policy, now):
                requests += 1
                job = job._replace(forecast=forecast_from(job, life.progress_at(now), now))
            due_at = now + wait_after_answer(job, self._polling_policy, now, self._chance.uniform(-1, 1))
            assert now < due_at <= now + self._polling_policy.max_interval, "polled later than max_interval allows"
            now = self._told_at(life, now, due_at)

    def _told_at(self, life: Life, now: datetime, due_at: datetime) -> datetime:
        """Return when the job is asked for next, which a webhook may make sooner."""
        told = None if self._case.told_after is None else life.end + self._case.told_after
        return told if told and now < told < due_at else due_at

    def _remember(self, transition: Transition, entered: Reason | None) -> None:
        """Remember how long a status lasted, if that was seen whole: as the store does."""
        is_whole = entered not in {None, Reason.FIRST_SEEN} and transition.status != Status.CANCELLED
        if self._case.remembers and is_whole and transition.previous_since:
            known = self._durations.setdefault(transition.previous_status, deque(maxlen=REMEMBERED))
            known.appendleft(transition.observed_at - transition.previous_since)


def adaptive(interval: timedelta, case: Case) -> Toll:
    """Return what the adaptive policy costs."""
    policy = PollingPolicy(interval, MAX_INTERVAL, looks_at_progress=case.looks, hears_ends=case.told_after is not None)
    return _toll(policy, case)


@cache
def fixed(interval: timedelta, population: Population) -> Toll:
    """Return what the fixed policy costs."""
    return _toll(PollingPolicy(interval, interval, is_adaptive=False), Case("fixed", population=population))


def p95_of_fixed(requests: float, population: Population) -> float:
    """Return the p95 delay of the fixed policy whose interval makes for so many requests per job.

    Its requests are the time watched over the interval, and a few more; its delays are as long as the interval.
    """
    known = fixed(timedelta(seconds=30), population)
    more = known.mean_requests - population.seconds_watched / 30
    return known.p95 / 30 * population.seconds_watched / (requests - more)


def _toll(polling_policy: PollingPolicy, case: Case) -> Toll:
    follower = Follower(polling_policy, case)
    for life in lives(case.population):
        follower.follow(life)
    return follower.toll
