"""Rows, and the values of the domain that they hold."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy import Select, select

from watcher.domain.conditions import Condition, ConditionChange
from watcher.domain.deliveries import Delivery, DeliveryState
from watcher.domain.jobs import NO_LABELS, Basis, Forecast, Job, JobError, JobFacts, JobKey
from watcher.domain.states import OPENAI_STATES, JobState
from watcher.domain.telemetry import MetricPoint
from watcher.domain.transitions import Reason, Transition
from watcher.store.schema import condition, condition_event, delivery, job, transition

JOB_COLUMNS = (
    job.c.source,
    job.c.job_id,
    job.c.name,
    job.c.labels,
    job.c.status,
    job.c.seq,
    job.c.status_since,
    job.c.due_at,
    job.c.failures,
    job.c.missing,
    job.c.last_error,
    job.c.forecast_at,
    job.c.forecast_basis,
    job.c.forecast_made_at,
    job.c.described_seq,
    job.c.state,
    job.c.is_since_exact,
    job.c.facts,
)
"""What `job_of` reads, in its order."""
TRANSITION_COLUMNS = (
    job.c.source,
    job.c.job_id,
    transition.c.name,
    transition.c.labels,
    transition.c.seq,
    transition.c.previous_status,
    transition.c.status,
    transition.c.reason,
    transition.c.skipped,
    transition.c.observed_at,
    transition.c.previous_since,
    transition.c.facts,
    transition.c.document,
    transition.c.state,
    transition.c.previous_state,
    transition.c.is_previous_exact,
    transition.c.event_word,
    transition.c.more_facts,
)
"""What `transition_of` reads, in its order."""
CONDITION_EVENT_COLUMNS = (
    condition_event.c.seq,
    condition_event.c.state,
    condition_event.c.type,
    condition_event.c.title,
    condition_event.c.is_good,
    condition_event.c.at,
    condition_event.c.labels,
    condition_event.c.facts,
    condition_event.c.data,
    condition_event.c.raised_at,
    condition_event.c.reminder,
)
"""What `condition_change_of` reads, after the subject, in its order."""
DELIVERY_COLUMNS = (
    delivery.c.id,
    delivery.c.notifier,
    delivery.c.state,
    delivery.c.attempts,
    delivery.c.next_at,
    delivery.c.give_up_at,
    delivery.c.claimed_until,
    delivery.c.last_error,
    delivery.c.settled_at,
    delivery.c.group_key,
    delivery.c.hold_until,
    delivery.c.reason,
    delivery.c.answer,
    delivery.c.condition,
    condition.c.subject,
    *CONDITION_EVENT_COLUMNS,
    *TRANSITION_COLUMNS,
)
"""What `delivery_of` reads, in its order."""
_STATES = {state.value: state for state in JobState}
_BASES = {basis.value: basis for basis in Basis}
_REASONS = {reason.value: reason for reason in Reason}
_NEW_FACTS = ("suffix", "page_url", "more")
"""Facts that programs of the first two revisions do not know."""
_MEASURED = "measured"
"""Beside the facts of a transition: what was measured of the job. Programs that do not know it leave it out."""
_FACTS = {each.name for each in fields(JobFacts)}
"""What a newer watcher on the same database says besides is left out."""
_FACTS_IN_USE: WeakValueDictionary[str, JobFacts] = WeakValueDictionary()
"""By their text: a job that is claimed again mostly says what it said, and to read that is half of reading the job."""
_MOMENTS = ("created_at", "finished_at", "estimated_finish")


def select_deliveries() -> Select[Any]:
    """Return the beginning of a statement whose rows `delivery_of` reads."""
    is_transition = (transition.c.job == delivery.c.job) & (transition.c.seq == delivery.c.seq)
    is_event = (condition_event.c.condition == delivery.c.condition) & (condition_event.c.seq == delivery.c.seq)
    return select(*DELIVERY_COLUMNS).select_from(
        delivery.outerjoin(transition, is_transition)
        .outerjoin(job, job.c.id == transition.c.job)
        .outerjoin(condition_event, is_event)
        .outerjoin(condition, condition.c.id == condition_event.c.condition)
    )


def job_of(row: Sequence[Any]) -> Job:
    """Read a job."""
    source, job_id, name, labels, status, seq, since, due_at, failures, missing, error, *rest = row
    *forecast, described_seq, state, is_since_exact, facts = rest
    is_described = described_seq == seq  # an older watcher on the same database moves a job and leaves the rest
    return Job(
        # Ten thousand jobs share a handful of sources and statuses.
        JobKey(sys.intern(source), job_id),
        name,
        _labels_of(labels),
        status and sys.intern(status),
        _state_of(state if is_described else None, status),
        seq,
        since,
        not is_described or is_since_exact is not False,
        due_at,
        failures,
        missing,
        error,
        _forecast_of(forecast, since) if forecast[1] else None,
        _known_facts_of(facts) if facts and is_described else None,
    )


def transition_of(row: Sequence[Any]) -> Transition:
    """Read a transition."""
    source, job_id, name, labels, seq, before, status, reason, skipped, observed_at, since, facts, *rest = row
    document, state, previous_state, is_previous_exact, event_word, more = rest
    more_facts = json.loads(more or "{}")
    return Transition(
        key=JobKey(source, job_id),
        name=name,
        labels=_labels_of(labels),
        seq=seq,
        previous_status=before,
        previous_state=_state_of(previous_state, before),
        status=status,
        state=_state_of(state, status) or JobState.UNKNOWN,
        reason=_reason(reason),
        skipped=tuple(json.loads(skipped)),
        observed_at=observed_at,
        previous_since=since,
        facts=_facts_of(json.loads(facts) | more_facts),
        document=document,
        is_previous_exact=is_previous_exact is not False,
        event_word=event_word,
        measured=tuple(map(_point_of, more_facts.get(_MEASURED, ()))),
    )


def condition_change_of(subject: str, row: Sequence[Any]) -> ConditionChange:
    """Read a condition event."""
    seq, state, kind, title, is_good, at, labels, facts, data, raised_at, reminder = row
    told = Condition(
        subject,
        state,
        kind,
        title,
        is_good=bool(is_good),
        facts=tuple((label, value) for label, value in json.loads(facts)),
        data=json.loads(data),
        labels=_labels_of(labels),
    )
    return ConditionChange(told, seq, at, raised_at, reminder or 0)


def delivery_of(row: Sequence[Any]) -> Delivery:
    """Read a delivery."""
    number, notifier, state, attempts, next_at, give_up_at, claimed_until, last_error, settled_at, *rest = row
    group_key, hold_until, reason, answer, condition_number, subject, *events = rest
    of_condition, of_job = events[: len(CONDITION_EVENT_COLUMNS)], events[len(CONDITION_EVENT_COLUMNS) :]
    return Delivery(
        id=number,
        notifier=notifier,
        event=transition_of(of_job) if condition_number is None else condition_change_of(subject, of_condition),
        state=DeliveryState(state),
        attempts=attempts,
        next_at=next_at,
        give_up_at=give_up_at,
        claimed_until=claimed_until,
        last_error=last_error,
        answer=answer,
        settled_at=settled_at,
        group_key=group_key,
        hold_until=hold_until,
        reason=reason,
    )


def row_of_transition(number: int, change: Transition) -> dict[str, Any]:
    """Write a transition of the job whose row has this number."""
    return {
        "job": number,
        "seq": change.seq,
        "event_id": change.id,
        "previous_status": change.previous_status,
        "status": change.status,
        "reason": change.reason.value,
        "skipped": json.dumps(change.skipped) if change.skipped else "[]",
        "observed_at": change.observed_at,
        "previous_since": change.previous_since,
        "name": change.name,
        "labels": text_of_labels(change.labels),
        "facts": text_of_facts(change.facts, without=_NEW_FACTS),
        "more_facts": json.dumps(more_facts) if (more_facts := _more_facts(change)) else "{}",
        "document": change.document,
        "state": change.state.value,
        "previous_state": change.previous_state and change.previous_state.value,
        "is_previous_exact": change.is_previous_exact,
        "event_word": change.event_word,
    }


def _more_facts(change: Transition) -> dict[str, Any]:
    facts: dict[str, Any] = {name: value for name in _NEW_FACTS if (value := getattr(change.facts, name))}
    if change.measured:
        facts[_MEASURED] = [[series, step, repr(value), at.isoformat()] for series, step, value, at in change.measured]
    return facts


def _point_of(values: Sequence[Any]) -> MetricPoint:
    series, step, value, at = values
    return MetricPoint(series, step, float(value), datetime.fromisoformat(at))


def row_of_condition_event(number: int, change: ConditionChange) -> dict[str, Any]:
    """Write an event of the condition whose row has this number."""
    told = change.condition
    return {
        "condition": number,
        "seq": change.seq,
        "event_id": change.id,
        "state": told.state,
        "type": told.type,
        "title": told.title,
        "is_good": told.is_good,
        "at": change.at,
        "labels": text_of_labels(told.labels),
        "facts": json.dumps(told.facts),
        "data": json.dumps(dict(told.data)),
        "raised_at": change.since,
        "reminder": change.reminder or None,
    }


def text_of_labels(labels: Mapping[str, str]) -> str:
    """Write labels, in an order of their own, so that equal labels are equal text."""
    return json.dumps(dict(labels), sort_keys=True) if labels else "{}"


def _labels_of(text: str) -> Mapping[str, str]:
    labels: Mapping[str, str] = NO_LABELS if text == "{}" else json.loads(text)
    return labels


def _forecast_of(columns: Sequence[Any], since: datetime | None) -> Forecast | None:
    at, basis, made_at = columns
    # An older watcher on the same store moves a job and leaves the forecast of its former status; a newer one may
    # know bases that this one does not.
    known_basis = _BASES.get(basis)
    if known_basis is None or (since and made_at < since):
        return None
    return Forecast(at, known_basis, made_at)


def text_of_facts(facts: JobFacts, *, without: Collection[str] = ()) -> str:
    """Write what an observation said, without what it did not say, and without some facts."""
    error = facts.error
    values: dict[str, object] = {
        "model": facts.model,
        "fine_tuned_model": facts.fine_tuned_model,
        "trained_tokens": facts.trained_tokens,
        "suffix": facts.suffix,
        "page_url": facts.page_url,
        "more": facts.more or None,
        "error": error and {"code": error.code, "message": error.message, "param": error.param},
    }
    for name in _MOMENTS:
        moment: datetime | None = getattr(facts, name)
        values[name] = moment and moment.isoformat()
    return json.dumps({name: value for name, value in values.items() if value is not None and name not in without})


def _known_facts_of(text: str) -> JobFacts:
    known = _FACTS_IN_USE.get(text)
    if known is None:
        known = _FACTS_IN_USE[text] = _facts_of(json.loads(text))
    return known


def _facts_of(values: dict[str, Any]) -> JobFacts:
    if "model" in values:
        values["model"] = sys.intern(values["model"])  # thousands of jobs share a few
    for name in _MOMENTS:
        if name in values:
            values[name] = datetime.fromisoformat(values[name])
    if "error" in values:
        values["error"] = JobError(**values["error"])
    if "more" in values:
        values["more"] = tuple((label, value) for label, value in values["more"])
    return JobFacts(**{name: value for name, value in values.items() if name in _FACTS})


def _state_of(state: str | None, status: str | None) -> JobState | None:
    """Read a state; where none is recorded, or a newer watcher knows more of them, OpenAI's map tells it."""
    if status is None:
        return None
    return _STATES.get(state or "") or OPENAI_STATES(status)


def _reason(text: str) -> Reason:
    # A newer watcher on the same store may know reasons that this one does not.
    return _REASONS.get(text, Reason.UNRECOGNISED)
