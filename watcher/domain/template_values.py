"""What templates may say of an event: values by name, the same names for every kind of event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC

from watcher.domain.conditions import Condition, ConditionChange
from watcher.domain.durations import format_duration
from watcher.domain.events import Event, source_of
from watcher.domain.jobs import JobError, JobFacts
from watcher.domain.states import is_terminal
from watcher.domain.time_in_status import previous_status
from watcher.domain.transitions import Transition

_JOB = ("id", "name", "source", "model", "fine_tuned_model", "tokens", "url", "labels")


class _Open(dict[str, object]):
    """Values whose names depend on the job: one that is not there is None, which is no mistake of a template."""

    def __missing__(self, name: str) -> None:
        return None


def values_of(event: Event) -> Mapping[str, object]:
    """Return the values: `kind` (the last word of the type), `state`, `status`, `job.name` and so on.

    What is not known, or has no meaning for the kind of event, is None, which a template shows as nothing. `job.name`
    is never None: an event that is about no job has the name of the source, the notifier or the store there.
    """
    told = _of_transition(event) if isinstance(event, Transition) else _of_condition(event)
    at = event.at.astimezone(UTC)
    kind = event.type.rpartition(".")[2]
    told = {"progress": None, "reminder": None, **told}
    return {"id": event.id, "type": event.type, "kind": kind, "at": at, "labels": _Open(event.labels), **told}


def _of_transition(event: Transition) -> Mapping[str, object]:
    facts, error = event.facts, event.facts.error or JobError()
    lasted = previous_status(event)
    job = {
        "id": event.key.id,
        "name": event.title,
        "source": event.key.source,
        "model": facts.model,
        "fine_tuned_model": facts.fine_tuned_model,
        "tokens": facts.trained_tokens,
        "url": facts.page_url,
        "labels": _Open(event.labels),
    }
    return {
        "job": job,
        "state": event.state.value,
        "status": event.status,
        "previous_status": event.previous_status,
        "duration": _duration(event, facts),
        "before": str(lasted) if lasted else None,
        "error": {"code": error.code, "message": error.message, "param": error.param},
        "metrics": _Open((point.series, point.value) for point in event.measured),
    }


def _duration(event: Transition, facts: JobFacts) -> str | None:
    """Return how long the job has taken since it was created, as the service says."""
    if facts.created_at is None:
        return None
    end = facts.finished_at if is_terminal(event.state) else None
    return format_duration((end or event.at) - facts.created_at)


def _of_condition(event: ConditionChange) -> Mapping[str, object]:
    condition = event.condition
    data = condition.data
    job = dict.fromkeys(_JOB) | {
        "id": data.get("id"),
        "name": _name(condition),
        "source": source_of(event),
        "labels": _Open(event.labels),
    }
    return {
        "job": job,
        "state": event.type.rpartition(".")[2],
        "status": data.get("status"),
        "previous_status": None,
        "duration": format_duration(event.at - event.since) if event.since else None,
        "reminder": event.reminder or None,
        "before": None,
        "error": {"code": None, "message": data.get("error"), "param": None},
        "metrics": _Open(),
    }


def _name(condition: Condition) -> str:
    """Return the name of what a condition is about."""
    data = condition.data
    told = (data.get(key) for key in ("name", "suffix", "id", "source", "notifier", "store"))
    return next((str(name) for name in told if name), condition.subject)
