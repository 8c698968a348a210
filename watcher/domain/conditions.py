"""The watcher's own conditions: a source it cannot see, a notifier it cannot reach, a job that is missing or stuck.

A condition is recorded and delivered just as a job's status is: its subject is a `JobKey` at a source of the
watcher's own, its state the status, a change of it a transition. So it is raised once and cleared once, also over
restarts and among replicas, and reaches notifiers in order, with retries and an id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watcher.domain.durations import format_duration
from watcher.domain.jobs import Job, JobFacts, JobKey, Observation
from watcher.domain.states import JobState, Status

OWN_SOURCE = "@watcher"
"""The source of what the watcher says of itself. No configured source can be called so."""

GRACE = timedelta(minutes=5)
"""How long a source or a notifier may fail before that is a condition."""
STUCK_REPEAT = timedelta(days=1)

STUCK_AFTER: Mapping[str, timedelta] = {
    Status.VALIDATING_FILES: timedelta(hours=1),
    Status.QUEUED: timedelta(hours=6),
    Status.RUNNING: timedelta(hours=24),
}
"""How long a job may stay in a status, unless the settings say otherwise."""


def is_own(key: JobKey) -> bool:
    """Tell whether the key names a condition rather than a job."""
    return key.source == OWN_SOURCE


def is_about_job(key: JobKey) -> bool:
    """Tell whether a condition is that of a job, rather than of a source, a notifier or the record."""
    return is_own(key) and key.id.startswith("job/")


def notifier_subject(name: str) -> JobKey:
    """Return the subject of a notifier's condition."""
    return JobKey(OWN_SOURCE, f"notifier/{name}")


@dataclass(frozen=True, slots=True)
class Condition:
    """How something stands, in a form that can be recorded and told."""

    subject: JobKey
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
    """Why it refuses us for good, in its own words."""


def source_conditions(health: Health, now: datetime) -> list[Condition]:
    """Say how a source stands. What there is no evidence for is not said."""
    conditions = []
    name = health.name
    if health.failing_since and now - health.failing_since >= GRACE:
        silence = format_duration(now - health.failing_since)
        conditions.append(
            _of_source(name, "reach", "unreachable", f"Source {name} has not answered for {silence}", health.error)
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
    """Say how a notifier stands; None when there is no evidence either way."""
    subject, name = notifier_subject(health.name), health.name
    if health.rejection or (health.failing_since and now - health.failing_since >= GRACE):
        error = health.rejection or health.error or ""
        facts = (("Notifier", name), ("Error", error))
        return Condition(
            subject,
            "failing",
            "watcher.notifier.failing",
            f"Notifier {name} cannot be reached",
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
    """Say that the record cannot be read or written. This alone cannot be recorded, and is told at each outage."""
    return Condition(
        JobKey(OWN_SOURCE, "store"),
        "failing",
        "watcher.store.failing",
        "The watcher's record cannot be written: it goes on watching, but what it sees is at risk",
        is_good=False,
        facts=(("Record", name), ("Error", error)),
        data={"store": name, "error": error},
    )


def missing_condition(job: Job, now: datetime) -> Condition:
    """Say that a job is unknown to its source. Each time it goes missing is news."""
    return _of_job(job, "missing", f"missing {now.isoformat()}", "is unknown to its source", job.last_error)


def stuck_condition(job: Job, now: datetime, limits: Mapping[str, timedelta]) -> Condition | None:
    """Say that a job has been in a status for too long, anew each day; None when it has not."""
    limit = limits.get(job.status or "")
    if limit is None or job.status_since is None or now - job.status_since < limit:
        return None
    stay = now - job.status_since
    times = (stay - limit) // STUCK_REPEAT + 1
    state = f"stuck {job.status} {job.status_since.isoformat()} {times}"
    return _of_job(job, "stuck", state, f"has been {job.status} for {format_duration(stay)}", None)


def is_news(condition: Condition, recorded: Job | None) -> bool:
    """Tell whether the condition differs from what was recorded; that all is well is no news to begin with."""
    if recorded is None or recorded.status is None:
        return not condition.is_good
    return recorded.status != condition.state


def observation_of(condition: Condition, now: datetime) -> Observation:
    """Put the condition into the form of an observation, for `detect`."""
    told = {
        "type": condition.type,
        "title": condition.title,
        "good": condition.is_good,
        "facts": condition.facts,
        "data": dict(condition.data),
    }
    return Observation(condition.subject, condition.state, JobState.UNKNOWN, now, JobFacts(), json.dumps(told))


def _of_source(name: str, aspect: str, state: str, title: str, error: str | None = None) -> Condition:
    is_good = error is None
    facts = (("Source", name), *((("Error", error),) if error else ()))
    data = {"source": name} | ({"error": error} if error else {})
    subject = JobKey(OWN_SOURCE, f"source/{name}/{aspect}")
    return Condition(subject, state, f"watcher.source.{state}", title, is_good, facts, data)


def _of_job(job: Job, aspect: str, state: str, what: str, error: str | None) -> Condition:
    facts = (("Job", job.key.id), ("Source", job.key.source), *((("Error", error),) if error else ()))
    data = {"id": job.key.id, "source": job.key.source, "name": job.name, "status": job.status}
    return Condition(
        JobKey(OWN_SOURCE, f"job/{job.key}/{aspect}"),
        state,
        f"watcher.job.{aspect}",
        f"{job.title} {what}",
        is_good=False,
        facts=facts,
        data=data | ({"error": error} if error else {}),
        labels=job.labels,
    )
