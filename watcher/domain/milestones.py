"""The true times of statuses, also of those that no poll saw: from what the events of the service say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from watcher.domain.states import JobState, is_terminal, named_state
from watcher.domain.telemetry import Milestone
from watcher.domain.transitions import Transition

_ROUNDED = timedelta(seconds=1)
"""Services write whole seconds, so a status may seem to begin so much before it did."""


def with_true_times(transition: Transition, milestones: Sequence[Milestone]) -> Transition:
    """Return the transition with the times at which its status, and those that it passed over, began.

    A milestone counts from when the previous status was observed until this one was: what lies outside belongs to
    another transition, or to a clock that differs. A later one of the same state counts more, for a job may go back.
    """
    happened_at = _end_told(transition) or _began(transition, transition.state, milestones, transition.observed_at)
    skipped_at: dict[str, datetime] = {}
    until = happened_at or transition.observed_at
    for word in reversed(transition.skipped):
        if began := _began(transition, named_state(word), milestones, until):
            skipped_at[word] = until = began
    return replace(transition, happened_at=happened_at, skipped_at=skipped_at)


def skipped_for(transition: Transition) -> Mapping[str, timedelta]:
    """Return how long each status lasted that a transition passed over, where both of its ends are known."""
    began = [*(transition.skipped_at.get(word) for word in transition.skipped), transition.happened_at]
    return {
        word: end - begin
        for word, begin, end in zip(transition.skipped, began, began[1:], strict=False)
        if begin and end
    }


def _end_told(transition: Transition) -> datetime | None:
    """Return the end as the job object tells it."""
    finished = transition.facts.finished_at if is_terminal(transition.state) else None
    return finished if finished and _is_within(transition, finished, transition.observed_at) else None


def _began(
    transition: Transition, state: JobState | None, milestones: Sequence[Milestone], until: datetime
) -> datetime | None:
    times = (each.at for each in milestones if each.state is state and _is_within(transition, each.at, until))
    return max(times, default=None)


def _is_within(transition: Transition, at: datetime, until: datetime) -> bool:
    since = transition.previous_since
    return at <= until and (since is None or since - _ROUNDED <= at)
