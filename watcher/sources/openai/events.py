"""The events and the checkpoints of a job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from watcher.domain.jobs import Progress, is_job_id
from watcher.domain.states import JobState
from watcher.domain.telemetry import Checkpoint, EventPage, JobEvent, MetricPoint, Milestone
from watcher.domain.text import excerpt
from watcher.sources.decoding import read, text_of
from watcher.sources.lenient import Count, Flag, Text, Timestamp, Tolerant
from watcher.sources.metrics import newest, numbers_of, points_of
from watcher.sources.openai.event_cursor import EventCursor

LONGEST_MESSAGE = 1000
"""Characters of a message that are kept."""
_NO_SERIES = frozenset({"step", "total_steps"})
_SPEAK_OF_CHECKPOINTS = ("checkpoint", "model created", "succeeded", "completed")
"""What messages say when there is a checkpoint that was not there before; each service has its own."""

_MILESTONES = {
    "validating training file": JobState.VALIDATING,
    "files validated, moving job to queued state": JobState.QUEUED,
    "fine-tuning job started": JobState.RUNNING,
    "the job has successfully completed": JobState.SUCCEEDED,
    # Azure's words. Its "Job succeeded." comes minutes before the status.
    "job enqueued": JobState.QUEUED,
    "job started": JobState.RUNNING,
}
"""What a message begins with, in lower case, when a job enters a state."""


class _Steps(BaseModel):
    step: Count = None
    total_steps: Count = None


class _Event(BaseModel):
    id: Text = None
    created_at: Timestamp = None
    level: Text = None
    message: Text = None
    data: Tolerant[dict[str, Any]] = None


class _Events(BaseModel):
    data: list[Tolerant[_Event]] | None
    """Null where a service writes an empty list so."""
    has_more: Flag = None


class _Checkpoint(BaseModel):
    id: str
    created_at: Timestamp = None
    step_number: Count = None
    fine_tuned_model_checkpoint: Text = None
    metrics: Tolerant[dict[str, Any]] = None


class _Checkpoints(BaseModel):
    data: list[Tolerant[_Checkpoint]] | None


def parse_events(body: bytes, cursor: str | None) -> EventPage:
    """Read a page of events, in whichever order they stand.

    Raises MalformedResponseError for anything but a list.
    """
    at = EventCursor.read(cursor)
    page = read(_Events, text_of(body))
    listed = [event for event in page.data or () if event]
    is_ascending = _is_ascending(listed)
    new, is_complete = _new_of(listed, at, is_ascending=is_ascending)
    after = _after(listed, at, is_ascending=is_ascending, has_more=bool(page.has_more) and not is_complete)
    oldest_first = new if is_ascending else new[::-1]
    events = tuple(told for event in oldest_first if (told := _told(event)))
    wants_checkpoints = any(word in event.message.lower() for event in events for word in _SPEAK_OF_CHECKPOINTS)
    after = replace(after, wants_checkpoints=wants_checkpoints)
    return EventPage(
        events=events,
        points=tuple(point for event in oldest_first for point in _points(event)),
        milestones=tuple(milestone for event in events if (milestone := _milestone(event))),
        progress=newest([progress for event in new if (progress := _progress(event))]),
        cursor=str(after),
        has_more=wants_checkpoints or (after.behind is not None and after.behind != at.behind),
    )


def parse_checkpoints(body: bytes, cursor: str | None) -> EventPage:
    """Read the newest checkpoints. Raises MalformedResponseError for anything but a list."""
    after = replace(EventCursor.read(cursor), wants_checkpoints=False)
    listed = read(_Checkpoints, text_of(body)).data or ()
    checkpoints = tuple(_checkpoint(entry) for entry in listed if entry and is_job_id(entry.id))
    return EventPage(checkpoints=checkpoints, cursor=str(after), has_more=after.behind is not None)


def _is_ascending(events: Sequence[_Event]) -> bool:
    times = [event.created_at for event in events if event.created_at]
    return bool(times) and times[0] < times[-1]


def _new_of(events: Sequence[_Event], at: EventCursor, *, is_ascending: bool) -> tuple[Sequence[_Event], bool]:
    """Return the events that are not known, and whether what lies behind them is."""
    known = at.until or (None if at.behind else at.newest)
    for position, event in enumerate(events):
        if known is not None and event.id == known:
            return (events[position + 1 :], False) if is_ascending else (events[:position], True)
    return events, False


def _after(events: Sequence[_Event], at: EventCursor, *, is_ascending: bool, has_more: bool) -> EventCursor:
    ids = [event.id for event in events if event.id and is_job_id(event.id)]
    if not ids:
        is_at_end = at.newest is not None and at.newest == at.behind  # of a list that begins with the oldest
        return at if is_at_end else replace(at, behind=None, until=None)
    if is_ascending:  # what is new comes behind what is known
        return EventCursor(ids[-1], ids[-1])
    first = at.newest if at.behind else ids[0]
    if not has_more:
        return EventCursor(first)
    return EventCursor(first, ids[-1], at.until if at.behind else at.newest)


def _told(event: _Event) -> JobEvent | None:
    if event.created_at is None or not event.message or (event.data and "step" in event.data):
        return None
    return JobEvent(
        event.created_at, excerpt(event.message, LONGEST_MESSAGE), (event.level or "info").lower(), event.id
    )


def _milestone(event: JobEvent) -> Milestone | None:
    said = event.message.lower()
    state = next((state for words, state in _MILESTONES.items() if said.startswith(words)), None)
    return Milestone(state, event.at) if state else None


def _steps(event: _Event) -> _Steps:
    return _Steps.model_validate(event.data or {})


def _points(event: _Event) -> tuple[MetricPoint, ...]:
    step, at = _steps(event).step, event.created_at
    if step is None or at is None or not event.data:
        return ()
    return points_of(event.data, step, at, besides=_NO_SERIES, names={})


def _progress(event: _Event) -> Progress | None:
    steps, at = _steps(event), event.created_at
    if at is None or steps.step is None or (steps.total_steps is not None and steps.step > steps.total_steps):
        return None
    return Progress(steps.step, steps.total_steps or None, at)


def _checkpoint(entry: _Checkpoint) -> Checkpoint:
    numbers = numbers_of(entry.metrics or {}, besides=_NO_SERIES)
    step = entry.step_number
    if step is None:
        step = _Steps.model_validate(entry.metrics or {}).step
    return Checkpoint(entry.id, step, entry.created_at, entry.fine_tuned_model_checkpoint, numbers)
