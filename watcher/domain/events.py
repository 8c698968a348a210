"""What notifiers are sent: a transition of a job, or a change of a condition."""

from __future__ import annotations

from watcher.domain.conditions import ConditionChange
from watcher.domain.transitions import Transition

Event = Transition | ConditionChange
"""Both have `id`, `type`, `subject`, `thread`, `seq`, `at`, `labels` and `title`. One subject's are sent in order."""


def source_of(event: Event) -> str | None:
    """Return the source that an event is about, or that its job lives at; None: a notifier or the store."""
    if isinstance(event, Transition):
        return event.key.source
    source = event.condition.data.get("source")
    return source if isinstance(source, str) else None


def title_of_job(event: Event) -> str | None:
    """Return what people are told that the job of an event is called; None: it is about no job."""
    if isinstance(event, Transition):
        return event.title
    data = event.condition.data
    return str(data.get("name") or data.get("suffix") or data.get("id")) if event.condition.is_about_job else None


def job_name_of(event: Event) -> str | None:
    """Return the name of the job that an event is about, its id where it has none; None: it is about no job."""
    if isinstance(event, Transition):
        return event.name or event.key.id
    if not event.condition.is_about_job:
        return None
    return str(event.condition.data.get("name") or event.condition.data.get("id"))
