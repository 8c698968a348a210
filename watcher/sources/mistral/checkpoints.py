"""The checkpoints of a job with their metrics, which stand in its object: all of them, each time.

Its events stand there too, and say nothing but when some status changed.
"""

from __future__ import annotations

from watcher.domain.telemetry import Checkpoint, EventPage
from watcher.sources.decoding import read, text_of
from watcher.sources.metrics import numbers_of
from watcher.sources.mistral.wire import Saved, Training

_MOST_DIGITS = 19


def parse_checkpoints(body: bytes, cursor: str | None) -> EventPage:
    """Read the checkpoints behind the step that the cursor says from a job object.

    Raises MalformedResponseError for no object.
    """
    training = read(Training, text_of(body))
    saved = training.saved()
    known = int(cursor) if cursor and cursor.isdecimal() and len(cursor) <= _MOST_DIGITS else -1
    return EventPage(
        checkpoints=tuple(_checkpoint(step, each) for step, each in saved.items() if step > known),
        progress=training.progress(),
        cursor=str(max(saved, default=known)) if saved or known >= 0 else None,
    )


def _checkpoint(step: int, saved: Saved) -> Checkpoint:
    return Checkpoint(f"step {step}", step, saved.created_at, metrics=numbers_of(saved.metrics or {}))
