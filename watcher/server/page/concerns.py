"""Why a job that has not ended needs a person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from watcher.domain.conditions import stuck_condition
from watcher.domain.jobs import Job
from watcher.domain.polling_policy import is_reported_missing
from watcher.domain.states import is_terminal
from watcher.server.page.templates import lasting


def concern_of(job: Job, now: datetime, stuck_after: Mapping[str, timedelta]) -> str | None:
    """Say why a job needs a person; None where it needs nobody, and where its own error says it."""
    if is_terminal(job.state):
        return None
    if is_reported_missing(job):
        return "missing: its source does not know it"
    if job.status_since and stuck_condition(job, now, stuck_after):
        return f"stuck: no change for {lasting(now - job.status_since)}"
    return None
