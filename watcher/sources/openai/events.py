"""The events of a job, of which only how far it has come is read."""

from __future__ import annotations

from pydantic import BaseModel

from watcher.domain.jobs import Progress
from watcher.sources.decoding import read, text_of
from watcher.sources.lenient import Count, Timestamp, Tolerant


class _Metrics(BaseModel):
    step: Count = None
    total_steps: Count = None


class _Event(BaseModel):
    created_at: Timestamp = None
    data: Tolerant[_Metrics] = None


class _Events(BaseModel):
    data: list[Tolerant[_Event]] | None
    """Null where a service writes an empty list so."""


def parse_progress(body: bytes) -> Progress | None:
    """Read how far the job has come, in any order of its events; None when none of them says.

    Raises MalformedResponseError for anything but a list.
    """
    events = read(_Events, text_of(body)).data or []
    told = [progress for event in events if event is not None and (progress := _progress(event))]
    # Several events share a second.
    return max(told, key=lambda progress: (progress.at, progress.step), default=None)


def _progress(event: _Event) -> Progress | None:
    metrics, at = event.data, event.created_at
    if metrics is None or at is None or metrics.step is None or not metrics.total_steps:
        return None
    return Progress(metrics.step, metrics.total_steps, at) if metrics.step <= metrics.total_steps else None
