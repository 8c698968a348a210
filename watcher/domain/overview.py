"""What `jobs`, `deliveries` and the like show: plain rows, the same for tables and for JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from watcher.domain.deliveries import Delivery, DeliveryState
from watcher.domain.durations import format_duration
from watcher.domain.jobs import Job, JobFacts
from watcher.domain.milestones import skipped_for
from watcher.domain.polling_policy import PollingPolicy, is_reported_missing, reason
from watcher.domain.states import JobState, is_terminal, shown_status
from watcher.domain.time_in_status import TimeInStatus, present_status, status_of
from watcher.domain.transitions import Transition

Row = dict[str, Any]

UNSEEN = "not seen yet"
"""The status of a job that no poll was answered for, as it is shown."""


def job_row(job: Job, now: datetime) -> Row:
    """Show how a watched job stands, and what was last said of it."""
    lasting = present_status(job, now)
    return {
        "source": job.key.source,
        "id": job.key.id,
        "name": job.name,
        "title": job.title,
        "labels": dict(job.labels),
        "status": job.status or UNSEEN,
        "state": str(job.state) if job.state else None,
        "for": str(lasting) if lasting else None,
        "for_seconds": _seconds(lasting),
        "status_since": _at(lasting.since) if lasting else None,
        "is_since_exact": lasting.is_exact if lasting else None,
        "next_poll": _until(job.due_at, now),
        "next_poll_at": _at(job.due_at),
        "trouble": _trouble(job),
        **fact_row(job.facts or JobFacts()),
    }


def with_shown_status(row: Row) -> Row:
    """Return a row of a job or of its history for people: its state, and the service's own word beside it."""
    state = JobState(row["state"]) if row["state"] else None
    return row | {"status": shown_status(row["status"], state)}


def fact_row(facts: JobFacts) -> Row:
    """Show what the job object said: the models, and why the job failed."""
    error = facts.error
    return {
        "model": facts.model,
        "fine_tuned_model": facts.fine_tuned_model,
        "error": {"code": error.code, "message": error.message, "param": error.param} if error else None,
    }


def skipped_of(row: Row) -> str | None:
    """Return the statuses that a transition passed over, each with how long it lasted where that is known."""
    lasted = row["skipped_seconds"]
    words = (
        f"{word} ({format_duration(timedelta(seconds=lasted[word]))})" if word in lasted else word
        for word in row["skipped"]
    )
    return ", ".join(words) or None


def result_of(row: Row) -> str | None:
    """Return the result of a job: the model's name, or why it failed; None while neither is known."""
    if row["fine_tuned_model"]:
        return str(row["fine_tuned_model"])
    error = row["error"] or {}
    return error.get("message") or error.get("code")


def history_rows(newest_first: Sequence[Transition], now: datetime, later: Transition | None = None) -> list[Row]:
    """Show transitions of one job, each with how long its status lasted; `later` came after the first of them."""
    rows, following = [], later
    for transition in newest_first:
        lasted = status_of(transition, following, now)
        rows.append(
            {
                "observed_at": _at(transition.observed_at),
                "happened_at": _at(transition.happened_at),
                "status": transition.status,
                "state": str(transition.state),
                "previous_status": transition.previous_status,
                "reason": str(transition.reason),
                "skipped": list(transition.skipped),
                "skipped_at": {word: _at(at) for word, at in transition.skipped_at.items()},
                "skipped_seconds": {word: stay.total_seconds() for word, stay in skipped_for(transition).items()},
                "lasted": str(lasted) if lasted else None,
                "lasted_seconds": _seconds(lasted),
                "is_lasted_exact": lasted.is_exact if lasted else None,
                "event_id": transition.id,
                **fact_row(transition.facts),
            }
        )
        following = transition
    return rows


ORPHANED = "orphaned: no notifier of this name is configured"
"""What keeps a pending delivery whose notifier is gone; it goes out when the notifier is back."""


def explain_next_poll(job: Job, polling_policy: PollingPolicy, now: datetime) -> str:
    """Return when the job is polled next, and why then."""
    if is_terminal(job.state):
        return "never: it has ended (`watcher jobs add` asks once more)"
    if job.due_at is None:
        return "never: it is not watched"
    when = _until(job.due_at, now)
    if is_reported_missing(job):
        return f"{when}: its source does not know it, so it is asked for seldom"
    if job.missing:
        return f"{when}: its source does not know it yet, so it is asked for soon"
    if job.failures:
        longest = format_duration(polling_policy.max_interval)
        return f"{when}: {job.failures} polls in a row have failed, so the wait grows, up to {longest}"
    return f"{when}: {reason(job, polling_policy, now)}"


def delivery_row(delivery: Delivery, now: datetime, notifiers: Collection[str]) -> Row:
    """Show how a delivery stands; `notifiers` are those that are configured."""
    event = delivery.event
    is_pending = delivery.state is DeliveryState.PENDING
    next_attempt = _until(delivery.next_at, now) if delivery.notifier in notifiers else ORPHANED
    if isinstance(event, Transition):
        what: Row = {"source": event.key.source, "job": event.key.id, "status": event.status}
    else:
        what = {"source": None, "job": event.subject, "status": event.type}
    reminder = None if isinstance(event, Transition) or not event.reminder else f"reminder {event.reminder}"
    return {
        "id": delivery.id,
        "notifier": delivery.notifier,
        **what,
        "state": str(delivery.state),
        "attempts": delivery.attempts,
        "next_attempt": next_attempt if is_pending else None,
        "next_attempt_at": _at(delivery.next_at) if is_pending else None,
        "reason": delivery.reason or reminder,
        "last_error": delivery.last_error,
        "answer": delivery.answer,
        "settled_at": _at(delivery.settled_at),
        "observed_at": _at(event.at),
        "event_id": event.id,
    }


def counted(number: int, plural: str) -> str:
    """Say how many there are: `2 jobs`, `1 job`, `1 delivery`."""
    if number != 1:
        return f"{number} {plural}"
    return f"1 {plural.removesuffix('ies')}y" if plural.endswith("ies") else f"1 {plural.removesuffix('s')}"


def status_line(watched: int, recipients: int, last_answers: Mapping[str, datetime | None], now: datetime) -> str:
    """Say in one line how a running watcher stands."""
    latest = max((answer for answer in last_answers.values() if answer), default=None)
    answer = f"last answer {format_duration(now - latest)} ago" if latest else "no answer yet"
    return f"{counted(watched, 'jobs')} watched, {counted(recipients, 'deliveries')} pending, {answer}"


def _at(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None


def _seconds(lasting: TimeInStatus | None) -> float | None:
    return round(lasting.duration.total_seconds(), 1) if lasting else None


def _until(moment: datetime | None, now: datetime) -> str | None:
    if moment is None:
        return None
    return f"in {format_duration(moment - now)}" if moment > now else "now"


def _trouble(job: Job) -> str | None:
    if is_reported_missing(job):
        return f"unknown to the source: {job.last_error}"
    return job.last_error
