"""The message of a job that runs, with how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from watcher.domain.durations import format_duration
from watcher.domain.jobs import Job, Progress, ProgressUnit
from watcher.domain.messages import Detail, Message, words_of_series
from watcher.domain.telemetry import MetricPoint

_WHOLE = 100


def with_progress(
    message: Message, job: Job, progress: Progress, points: Sequence[MetricPoint], now: datetime
) -> Message:
    """Return the message that told of the job's status, with its progress, its last values and what is left."""
    told, share = _words(progress), _percent(progress)
    values = partial(_with, message.values, told) if message.values else None
    facts = [Detail("Progress", told), *(Detail(words_of_series(each.series), f"{each.value:.4g}") for each in points)]
    forecast = job.forecast
    if forecast and forecast.at and forecast.at > now:
        facts.append(Detail("Left", f"about {format_duration(forecast.at - now)}"))
    title = message.title if share is None else f"{message.title}, {share} %"
    return replace(message, title=title, facts=(*message.facts, *facts), values=values)


def _with(values: Callable[[], Mapping[str, object]], progress: str) -> Mapping[str, object]:
    return {**values(), "progress": progress}


def _words(progress: Progress) -> str:
    if progress.unit is ProgressUnit.PERCENT:
        return f"{progress.done} %"
    of = f" of {progress.total:,}" if progress.total else ""
    return f"{progress.done:,}{of} {progress.unit}"


def _percent(progress: Progress) -> int | None:
    """Return how much is done; None where it is not known how much there is to do."""
    whole = _WHOLE if progress.unit is ProgressUnit.PERCENT else progress.total
    return min(progress.done * _WHOLE // whole, _WHOLE) if whole else None
