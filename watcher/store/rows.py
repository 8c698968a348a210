"""Rows, and the values of the domain that they hold."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from watcher.domain.deliveries import Delivery, DeliveryState
from watcher.domain.jobs import Basis, Forecast, Job, JobError, JobFacts, JobKey
from watcher.domain.messages import event_id
from watcher.domain.states import OPENAI_STATES
from watcher.domain.transitions import Reason, Transition
from watcher.store.schema import delivery, job, transition

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
)
"""What `transition_of` reads, in its order."""
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
    *TRANSITION_COLUMNS,
)
"""What `delivery_of` reads, in its order."""
_MOMENTS = ("created_at", "finished_at", "estimated_finish")


def select_deliveries() -> Select[Any]:
    """Return the beginning of a statement whose rows `delivery_of` reads."""
    same = (transition.c.job == delivery.c.job) & (transition.c.seq == delivery.c.seq)
    return select(*DELIVERY_COLUMNS).join_from(delivery, transition, same).join(job, job.c.id == transition.c.job)


def job_of(row: Sequence[Any]) -> Job:
    """Read a job."""
    source, job_id, name, labels, status, seq, since, due_at, failures, missing, error, *forecast = row
    return Job(
        # Ten thousand jobs share a handful of sources and statuses.
        JobKey(sys.intern(source), job_id),
        name,
        _labels_of(labels),
        status and sys.intern(status),
        OPENAI_STATES(status) if status else None,
        seq,
        since,
        due_at,
        failures,
        missing,
        error,
        _forecast_of(forecast, since) if forecast[1] else None,
    )


def transition_of(row: Sequence[Any]) -> Transition:
    """Read a transition."""
    source, job_id, name, labels, seq, before, status, reason, skipped, observed_at, since, facts, document = row
    return Transition(
        key=JobKey(source, job_id),
        name=name,
        labels=_labels_of(labels),
        seq=seq,
        previous_status=before,
        previous_state=OPENAI_STATES(before) if before else None,
        status=status,
        state=OPENAI_STATES(status),
        reason=_reason(reason),
        skipped=tuple(json.loads(skipped)),
        observed_at=observed_at,
        previous_since=since,
        facts=facts_of(facts),
        document=document,
    )


def delivery_of(row: Sequence[Any]) -> Delivery:
    """Read a delivery."""
    number, notifier, state, attempts, next_at, give_up_at, claimed_until, last_error, settled_at, *rest = row
    return Delivery(
        id=number,
        notifier=notifier,
        transition=transition_of(rest),
        state=DeliveryState(state),
        attempts=attempts,
        next_at=next_at,
        give_up_at=give_up_at,
        claimed_until=claimed_until,
        last_error=last_error,
        settled_at=settled_at,
    )


def row_of_transition(number: int, change: Transition) -> dict[str, Any]:
    """Write a transition of the job whose row has this number."""
    return {
        "job": number,
        "seq": change.seq,
        "event_id": event_id(change.key, change.seq),
        "previous_status": change.previous_status,
        "status": change.status,
        "reason": change.reason.value,
        "skipped": json.dumps(change.skipped),
        "observed_at": change.observed_at,
        "previous_since": change.previous_since,
        "name": change.name,
        "labels": text_of_labels(change.labels),
        "facts": _text_of_facts(change.facts),
        "document": change.document,
    }


def text_of_labels(labels: Mapping[str, str]) -> str:
    """Write labels, in an order of their own, so that equal labels are equal text."""
    return json.dumps(dict(labels), sort_keys=True)


def _labels_of(text: str) -> Mapping[str, str]:
    labels: Mapping[str, str] = {} if text == "{}" else json.loads(text)
    return labels


def _forecast_of(columns: Sequence[Any], since: datetime | None) -> Forecast | None:
    at, basis, made_at = columns
    # An older watcher on the same record moves a job and leaves the forecast of its former status; a newer one may
    # know bases that this one does not.
    if basis not in set(Basis) or (since and made_at < since):
        return None
    return Forecast(at, Basis(basis), made_at)


def _text_of_facts(facts: JobFacts) -> str:
    error = facts.error
    values: dict[str, object] = {
        "model": facts.model,
        "fine_tuned_model": facts.fine_tuned_model,
        "trained_tokens": facts.trained_tokens,
        "error": error and {"code": error.code, "message": error.message, "param": error.param},
    }
    for name in _MOMENTS:
        moment: datetime | None = getattr(facts, name)
        values[name] = moment and moment.isoformat()
    return json.dumps({name: value for name, value in values.items() if value is not None})


def facts_of(text: str) -> JobFacts:
    """Read what a job object said."""
    values: dict[str, Any] = json.loads(text)
    for name in _MOMENTS:
        if name in values:
            values[name] = datetime.fromisoformat(values[name])
    if "error" in values:
        values["error"] = JobError(**values["error"])
    return JobFacts(**values)


def _reason(text: str) -> Reason:
    # A newer watcher on the same record may know reasons that this one does not.
    return Reason(text) if text in set(Reason) else Reason.UNRECOGNISED
