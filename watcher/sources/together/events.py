"""The events, the checkpoints and the metrics of a job: two questions, of which the second brings only new steps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from watcher.domain.telemetry import TRAIN_LOSS, VALID_LOSS, Checkpoint, EventPage, JobEvent, MetricPoint
from watcher.domain.text import excerpt
from watcher.sources.decoding import read, text_of
from watcher.sources.lenient import EARLIEST, LATEST, Count, Part, Text, Tolerant
from watcher.sources.metrics import newest, points_of
from watcher.sources.together.wire import Event

LONGEST_MESSAGE = 1000
"""Characters of a message that are kept."""
LONGEST_CHECKPOINT = 1024
"""Characters of a path."""
_STEP, _TIME = "train/global_step", "timestamp"
_NO_SERIES = frozenset({_STEP, _TIME, "step"})
_NAMES = {"train/loss": TRAIN_LOSS, "eval/loss": VALID_LOSS}
_NANOSECONDS = 1e9
_MOST_DIGITS = 19


class _TrainingEvent(Event):
    checkpoint_path: Text = None


class _Events(Part):
    """The events of a job, the oldest first."""

    data: list[Tolerant[_TrainingEvent]] | None
    """Null where a service writes an empty list so."""


class _Step(BaseModel):
    step: Count = None


class _Metrics(Part):
    metrics: list[Tolerant[dict[str, Any]]] | None


@dataclass(frozen=True, slots=True)
class EventCursor:
    """Where the reading stands, as the text that is kept between two questions."""

    events: int = 0
    """How many events are known: they come whole, the oldest first."""
    step: int | None = None
    """The last step whose metrics are known."""
    wants_metrics: bool = False
    """Whether the next question is for the metrics."""

    @classmethod
    def read(cls, text: str | None) -> EventCursor:
        """Read what `str` has written. What it has not written is the beginning."""
        match (text or "").split(" "):
            case [events, step, following] if _is_count(events) and (step == "-" or _is_count(step)):
                return cls(int(events), None if step == "-" else int(step), following == "metrics")
        return cls()

    def __str__(self) -> str:
        """Write it."""
        step = "-" if self.step is None else self.step
        return f"{self.events} {step} {'metrics' if self.wants_metrics else 'events'}"


def parse_events(body: bytes, cursor: str | None) -> EventPage:
    """Read the events, of which those that are known are left out. Raises MalformedResponseError."""
    at = EventCursor.read(cursor)
    listed = read(_Events, text_of(body)).data or []
    new = [event for event in (listed[at.events :] if len(listed) >= at.events else listed) if event]
    return EventPage(
        events=tuple(told for event in new if (told := _told(event))),
        checkpoints=tuple(saved for event in new if (saved := _checkpoint(event))),
        milestones=tuple(milestone for event in new if (milestone := event.milestone())),
        progress=newest([progress for event in new if (progress := event.progress())]),
        cursor=str(replace(at, events=len(listed), wants_metrics=True)),
        has_more=True,
    )


def parse_metrics(body: bytes, cursor: str | None) -> EventPage:
    """Read the metrics. Raises MalformedResponseError for anything but a list of them."""
    at = EventCursor.read(cursor)
    listed = read(_Metrics, text_of(body)).metrics or []
    points = [point for values in listed if values for point in _points(values)]
    points.sort(key=lambda point: (point.step, point.at))
    last = max((point.step for point in points), default=at.step)
    return EventPage(points=tuple(points), cursor=str(replace(at, step=last, wants_metrics=False)))


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS


def _told(event: Event) -> JobEvent | None:
    if event.created_at is None or not event.message:
        return None
    return JobEvent(event.created_at, excerpt(event.message, LONGEST_MESSAGE), (event.level or "info").lower())


def _checkpoint(event: _TrainingEvent) -> Checkpoint | None:
    path = event.checkpoint_path
    if not path or len(path) > LONGEST_CHECKPOINT:
        return None
    return Checkpoint(path, event.step or None, event.created_at)


def _points(values: dict[str, Any]) -> tuple[MetricPoint, ...]:
    step = _Step.model_validate({"step": values.get(_STEP, values.get("step"))}).step
    at = _time_of(values.get(_TIME))
    return () if step is None or at is None else points_of(values, step, at, besides=_NO_SERIES, names=_NAMES)


def _time_of(nanoseconds: object) -> datetime | None:
    if isinstance(nanoseconds, bool) or not isinstance(nanoseconds, int | float):
        return None
    try:
        at = datetime.fromtimestamp(nanoseconds / _NANOSECONDS, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return at if EARLIEST <= at < LATEST else None
