"""Conditions: a source that cannot be reached, a notifier that fails, a job that is missing or stuck.

A condition has a subject and a state. A change of the state is an event, recorded once and delivered as transitions
are: so it is raised once and cleared once, over restarts and among replicas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from watcher.domain.anomalies import Anomaly
from watcher.domain.durations import format_duration
from watcher.domain.jobs import Job, JobKey
from watcher.domain.states import Status, is_meant, shown_status
from watcher.domain.text import shortened
from watcher.domain.time_in_status import present_status
from watcher.domain.transitions import event_id

OWN_SOURCE = "@watcher"
"""Stands for the source in the ids of condition events."""
GRACE = timedelta(minutes=5)
"""How long a source or a notifier may fail before that is a condition."""
STUCK_REPEAT = timedelta(days=1)
SHORTEST_STAY = timedelta(minutes=5)
"""A job that was in its status for less was not told as stuck, unless the settings have a shorter limit."""
FRESH = timedelta(minutes=3)
"""How long the success of another replica speaks for a source or a notifier. Replicas note theirs each minute."""
NOTE_GOOD_INTERVAL = timedelta(minutes=1)

MISSING, STUCK, METRICS = "missing", "stuck", "metrics"
"""METRICS: it trains badly."""
JOB_ASPECTS = (MISSING, STUCK, METRICS)
"""In which respects a job can be in a condition."""
STUCK_AFTER: Mapping[str, timedelta] = {
    Status.VALIDATING_FILES: timedelta(hours=1),
    Status.QUEUED: timedelta(hours=6),
    Status.RUNNING: timedelta(hours=24),
}
"""How long a job may stay in a status, unless the settings say otherwise."""


def job_subjects(key: JobKey) -> list[str]:
    """Return the subjects of the conditions that a job can be in."""
    return [f"job/{key}/{aspect}" for aspect in JOB_ASPECTS]


def notifier_subject(name: str) -> str:
    """Return the subject of a notifier's condition."""
    return f"notifier/{name}"


@dataclass(frozen=True, slots=True)
class Condition:
    """The state of a source, a notifier, a job or the store, in a form that can be recorded and sent."""

    subject: str
    """`source/NAME/reach`, `notifier/NAME`, `job/SOURCE/ID/missing`, `store`."""
    state: str
    """Changes exactly when there is news."""
    type: str
    """The type of the event: `watcher.source.unreachable`, …"""
    title: str
    is_good: bool
    facts: tuple[tuple[str, str], ...] = ()
    """Labels and values for people. Values may come from an API: escape them."""
    data: Mapping[str, object] = field(default_factory=dict)
    """The same for programs."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Those of the job that it is about."""

    @property
    def is_about_job(self) -> bool:
        """Whether it is about a job, rather than a source, a notifier or the store."""
        return self.subject.startswith("job/")

    @property
    def is_about_metrics(self) -> bool:
        """Whether it is about how a job trains."""
        return self.is_about_job and self.subject.endswith(f"/{METRICS}")

    @property
    def thread(self) -> str:
        """What a receiver shows together: a job with all of its conditions; else the subject."""
        return self.subject.removeprefix("job/").rpartition("/")[0] if self.is_about_job else self.subject


@dataclass(frozen=True, slots=True)
class ConditionChange:
    """An event: a condition that has changed."""

    condition: Condition
    seq: int
    at: datetime
    since: datetime | None = None
    """Since when it stands, where an earlier event has raised it."""
    reminder: int = 0
    """How often it was told again by now, without a change; 0: it has changed."""

    @property
    def id(self) -> str:
        """The event's id: a function of the subject and `seq` alone."""
        return event_id(OWN_SOURCE, self.condition.subject, self.seq)

    @property
    def type(self) -> str:
        """The event's type."""
        return self.condition.type

    @property
    def subject(self) -> str:
        """What the event is about; events of one subject reach a notifier in order."""
        return self.condition.subject

    @property
    def thread(self) -> str:
        """What a receiver shows together: see `Condition`."""
        return self.condition.thread

    @property
    def labels(self) -> Mapping[str, str]:
        """Those of the job that it is about."""
        return self.condition.labels

    @property
    def title(self) -> str:
        """What has changed, in words, or what lasts."""
        return f"Still: {self.condition.title}" if self.reminder else self.condition.title


@dataclass(frozen=True, slots=True)
class RecordedCondition:
    """How a condition was recorded last."""

    state: str | None
    """The state of the last event; None when there was none."""
    seq: int = 0
    good_at: datetime | None = None
    """When a watcher last found all well."""
    good_by: str | None = None
    """The watcher that did."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the other side of a hop has been doing, as one process saw it."""

    name: str
    last_success: datetime | None = None
    failing_since: datetime | None = None
    """The first failure after the last success."""
    error: str | None = None
    """The last failure."""
    rejection: str | None = None
    """Why it rejects requests permanently, in its own words."""
    is_broken: bool = False
    """Whether the failures come from a fault of the program."""


def source_conditions(health: Health, now: datetime) -> list[Condition]:
    """Return how a source stands. What there is no evidence for is not said."""
    conditions = []
    name = health.name
    if health.failing_since and now - health.failing_since >= GRACE:
        silence = format_duration(now - health.failing_since)
        conditions.append(
            _of_source(
                name, "reach", "unreachable", f"Source {name} has not answered for {silence}", health.error or ""
            )
        )
    elif health.last_success:
        conditions.append(_of_source(name, "reach", "recovered", f"Source {name} answers again"))
    if health.rejection:
        conditions.append(
            _of_source(name, "acceptance", "rejected", f"Source {name} rejects the watcher", health.rejection)
        )
    elif health.last_success:
        conditions.append(_of_source(name, "acceptance", "accepted", f"Source {name} accepts the watcher again"))
    return conditions


def notifier_condition(health: Health, now: datetime) -> Condition | None:
    """Return how a notifier stands; None when there is no evidence either way."""
    subject, name = notifier_subject(health.name), health.name
    if health.rejection or (health.failing_since and now - health.failing_since >= GRACE):
        error = health.rejection or health.error or ""
        facts = (("Notifier", name), ("Error", error))
        return Condition(
            subject,
            "failing",
            "watcher.notifier.failing",
            f"Notifier {name} fails with an internal error" if health.is_broken else f"Notifier {name} cannot deliver",
            is_good=False,
            facts=facts,
            data={"notifier": name, "error": error},
        )
    if health.last_success is None or health.failing_since:
        return None
    return Condition(
        subject,
        "recovered",
        "watcher.notifier.recovered",
        f"Notifier {name} delivers again",
        is_good=True,
        facts=(("Notifier", name),),
        data={"notifier": name},
    )


def store_condition(name: str, error: str) -> Condition:
    """Return the condition of a failing store. It cannot be recorded; it is sent at each outage."""
    return Condition(
        "store",
        "failing",
        "watcher.store.failing",
        "The watcher's database cannot be written: it goes on watching, but what it sees is at risk",
        is_good=False,
        facts=(("Database", name), ("Error", error)),
        data={"store": name, "error": error},
    )


def missing_condition(job: Job, now: datetime) -> Condition:
    """Return the condition of a job that its source does not know. Each time it goes missing is an event."""
    return _of_job(job, MISSING, f"missing {now.isoformat()}", "is unknown to its source", job.last_error)


def stuck_condition(job: Job, now: datetime, limits: Mapping[str, timedelta]) -> Condition | None:
    """Return the condition of a job that has been in a status for too long, a new one each day; None for other jobs."""
    limit = _limit(job, limits)
    if limit is None or job.status_since is None or now - job.status_since < limit:
        return None
    stay = now - job.status_since
    times = (stay - limit) // STUCK_REPEAT + 1
    state = f"stuck {job.status} {job.status_since.isoformat()} {times}"
    return _of_job(job, STUCK, state, f"has been {job.status} for {present_status(job, now)}", None)


def found_condition(job: Job) -> Condition:
    """Return the condition of a job that its source knows again."""
    return _end_of(job, MISSING, "found", "is known to its source again")


def unstuck_condition(job: Job, before: Job, now: datetime) -> Condition:
    """Return the condition of a job that has moved on; `before` is the job as it stood until then."""
    condition = _end_of(job, STUCK, "unstuck", "is no longer stuck")
    return replace(condition, facts=(*condition.facts, ("Was", f"{before.status} for {present_status(before, now)}")))


def trained_condition(job: Job) -> Condition:
    """Return the condition of a job that has ended, however it trained."""
    return _end_of(job, METRICS, "metrics_ended", "trains no longer")


def may_be_stuck(job: Job, shortest: timedelta, now: datetime) -> bool:
    """Return whether a job was in its status for so long, at least, that it may have been told as stuck.

    A clock that was set back lets no job seem too young for it.
    """
    return job.status_since is not None and not timedelta() <= now - job.status_since < shortest


def training_condition(job: Job, anomaly: Anomaly | None) -> Condition:
    """Return how a job trains, good or bad."""
    if anomaly is None:
        condition = _of_job(job, METRICS, "good", "trains well again", None)
        return replace(condition, type="watcher.job.metrics_recovered", is_good=True)
    condition = _of_job(job, METRICS, anomaly.value, anomaly.words, None)
    return replace(condition, data={**condition.data, "anomaly": anomaly.value})


def _limit(job: Job, limits: Mapping[str, timedelta]) -> timedelta | None:
    """Return how long the job may stay as it is, by its status or its state."""
    if job.status is None or job.state is None:
        return None
    return limits.get(job.status) or next(
        (limit for word, limit in limits.items() if is_meant(word, job.status, job.state)), None
    )


def is_news(condition: Condition, recorded: RecordedCondition | None, watcher: str, now: datetime) -> bool:
    """Return whether the condition differs from what was recorded; that all is well is no news to begin with.

    Replicas share the conditions of sources and notifiers. What one of them finds failing is no news while another
    one (not `watcher`) has just found it well: any success clears a condition, also one that another replica raised.
    """
    if recorded is None or recorded.state is None:
        is_different = not condition.is_good
    else:
        is_different = recorded.state != condition.state
    return is_different and not (not condition.is_good and _is_well_elsewhere(recorded, watcher, now))


def _is_well_elsewhere(recorded: RecordedCondition | None, watcher: str, now: datetime) -> bool:
    if recorded is None or recorded.good_at is None or recorded.good_by == watcher:
        return False
    return timedelta() <= now - recorded.good_at < FRESH


def _of_source(name: str, aspect: str, state: str, title: str, error: str | None = None) -> Condition:
    is_good = error is None  # a failure may have no words
    facts = (("Source", name), *((("Error", error),) if error else ()))
    data = {"source": name} | ({"error": error} if error else {})
    subject = f"source/{name}/{aspect}"
    return Condition(subject, state, f"watcher.source.{state}", title, is_good, facts, data)


def _end_of(job: Job, aspect: str, word: str, what: str) -> Condition:
    """Return the condition of a job whose trouble is over; the title says how the job stands now."""
    status = shown_status(job.status, job.state) if job.status else "not seen yet"
    condition = _of_job(job, aspect, "good", f"{what}: {status}", None)
    told = {**condition.data, "state": job.state and job.state.value}
    return replace(condition, type=f"watcher.job.{word}", is_good=True, data=told)


def _of_job(job: Job, aspect: str, state: str, what: str, error: str | None) -> Condition:
    which = (("Job", job.key.id),) if job.title != job.key.id else ()  # else the title says it
    facts = (*which, ("Source", job.key.source), *((("Error", error),) if error else ()))
    data = {"id": job.key.id, "source": job.key.source, "name": job.name, "status": job.status}
    data |= {"suffix": job.facts.suffix} if job.facts and job.facts.suffix else {}
    return Condition(
        f"job/{job.key}/{aspect}",
        state,
        f"watcher.job.{aspect}",
        f"{shortened(job.title)} {what}",
        is_good=False,
        facts=facts,
        data=data | ({"error": error} if error else {}),
        labels=job.labels,
    )
