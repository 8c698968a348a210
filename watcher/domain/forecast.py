"""When a job's present status is expected to end, and how far that can be relied on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from watcher.domain.jobs import Basis, Forecast, Job, Progress
from watcher.domain.states import JobState

_LEEWAY = 0.22
"""By what share of the time foreseen a forecast may be wrong either way: estimates off by a fifth are good ones."""
_ROUGHNESS = 0.2
"""The largest share of a run that a forecast counts as done: steps do not include starting and saving."""
_LEAST_DONE = 100
"""One step in so many must a run have done before they say how long it takes."""
_LONGEST = timedelta(days=30)
"""No status is expected to last longer: such an estimate is nonsense."""
_ENOUGH = 8
"""How many earlier jobs a forecast from history needs."""
_AGREEMENT = 0.5
"""How far the middle half of them may lie apart, as a share of the middle one, for the forecast to be useful."""


class Phase(StrEnum):
    """How a moment lies to the time in which a status is expected to end."""

    AHEAD = "ahead"
    """That time is still to come."""
    OPEN = "open"
    """It is now."""
    PASSED = "passed"
    """It is over, and the forecast was wrong."""


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which a status is expected to end."""

    begin: datetime
    end: datetime
    length: timedelta
    """How long the status is expected to last in all."""

    def phase(self, now: datetime) -> Phase:
        """Return how `now` lies to it."""
        if now < self.begin:
            return Phase.AHEAD
        return Phase.OPEN if now < self.end else Phase.PASSED


class Stay(NamedTuple):
    """How long an earlier job was in a status."""

    status: str
    model: str | None
    """The model that it tuned."""
    lasted: timedelta


def usual_length(stays: Sequence[Stay], status: str, model: str | None) -> timedelta | None:
    """Return how long a status usually lasts with a model; with all of them where too few jobs had it, or disagree."""
    lengths = [stay.lasted for stay in stays if stay.status == status and stay.model == model]
    return usual_stay(lengths) or usual_stay([stay.lasted for stay in stays if stay.status == status])


def window(job: Job) -> Window | None:
    """Return the time in which the job's status is expected to end; None when nothing is expected."""
    return _window(job.forecast, job.status_since) if job.forecast and job.status_since else None


def usual_stay(durations: Sequence[timedelta]) -> timedelta | None:
    """Return how long a status usually lasts, when earlier jobs agree on that well enough."""
    lengths = sorted(durations)
    if len(lengths) < _ENOUGH:
        return None
    quarter, middle = len(lengths) // 4, lengths[len(lengths) // 2]
    return middle if lengths[-1 - quarter] - lengths[quarter] <= middle * _AGREEMENT else None


def forecast(job: Job, estimated_finish: datetime | None, usual: timedelta | None, now: datetime) -> Forecast | None:
    """Return the best forecast of the end of the job's status that can be had without a request.

    That is the API's own estimate of a running job, until the job has outlived it; else what the job already has;
    else what is `usual`: how long jobs of the source are in this status, as earlier ones tell. While there is nothing
    new, the job's own forecast is returned as it stands.
    """
    held, since = job.forecast, job.status_since
    if since is None:
        return held
    if estimated_finish and job.state is JobState.RUNNING and (told := _estimated(estimated_finish, since, now)):
        return held if held and (held.at, held.basis) == (told.at, told.basis) else told
    if held and held.at:
        return held
    return Forecast(since + usual, Basis.HISTORY, now) if usual and since + usual > now else held


def forecast_from(job: Job, progress: Progress | None, now: datetime) -> Forecast:
    """Return the forecast after a look at the job's progress; its `at` is None when nothing can be said.

    The run is taken to go on as it went since it was first seen. So a run that was first seen late is expected to
    end too early at first, and later with each look, until that is right. A look that says nothing leaves what was
    known.
    """
    if progress and job.status_since:
        at = _finish(progress, job.status_since)
        if at:
            return Forecast(at, Basis.PROGRESS, now)
    if job.forecast and job.forecast.at:
        return replace(job.forecast, made_at=now)
    return Forecast(None, Basis.PROGRESS, now)


def steps_are_done(job: Job, told: Progress | None, last: datetime | None) -> bool:
    """Tell whether a running job has no step left to do, so that none is missed: it saves what it has learned.

    `told` is what was last said of its progress. Where that was forgotten, the forecast made of it says so too: it
    ends no later than the `last` step.
    """
    if told is not None:
        return bool(told.total) and told.done >= (told.total or 0)
    held = job.forecast
    if held is None or held.at is None or held.basis is not Basis.PROGRESS:
        return False
    return last is not None and held.at <= last


def _window(told: Forecast, since: datetime) -> Window | None:
    if told.at is None or not since < told.at <= since + _LONGEST:
        return None
    length = told.at - since
    foreseen = length
    if told.basis is Basis.PROGRESS:  # the steps already done are certain: only those to come may take longer
        foreseen = max(told.at - told.made_at, timedelta()) + length * _ROUGHNESS
    return Window(told.at - foreseen * _LEEWAY, told.at + foreseen * _LEEWAY, length)


def _estimated(finish: datetime, since: datetime, now: datetime) -> Forecast | None:
    told = Forecast(finish, Basis.ESTIMATED_FINISH, now)
    expected = _window(told, since)
    return told if expected and expected.phase(now) is not Phase.PASSED else None


def _finish(progress: Progress, since: datetime) -> datetime | None:
    done, total = progress.done, progress.total
    if not total or not since < progress.at <= since + _LONGEST or done * _LEAST_DONE < total:
        return None
    return since + (progress.at - since) * (total / done)
