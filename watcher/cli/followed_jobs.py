"""How the jobs that `watch` follows stand: what its live view and its signs of life show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from watcher.domain.durations import format_duration
from watcher.domain.jobs import Job, JobKey, JobSpec
from watcher.domain.polling_policy import PollFailure
from watcher.domain.states import is_terminal
from watcher.domain.text import printable
from watcher.domain.time_in_status import since_transition
from watcher.domain.transitions import Transition

_UNSEEN = "waiting for the first answer"


class FollowedJobs:
    """Keeps the last transition of each job, and the failure of its last poll."""

    def __init__(self, specs: Sequence[JobSpec]) -> None:
        self._titles = {spec.key: spec.name or spec.key.id for spec in specs}
        self._last: dict[JobKey, Transition] = {}
        self._failures: dict[JobKey, PollFailure] = {}

    def transition(self, transition: Transition) -> None:
        """Note a transition."""
        self._last[transition.key] = transition
        self._failures.pop(transition.key, None)

    def poll_failed(self, job: Job, failure: PollFailure, next_at: datetime | None) -> None:
        """Note a failed poll. Without a next one the job is no longer followed."""
        self._failures[job.key] = failure
        if next_at is None:
            self._titles.pop(job.key, None)

    def each(self, now: datetime) -> list[tuple[str, str]]:
        """Return for each job that has not ended what it is called and how it stands."""
        return [
            (printable(title), printable(self._standing(key, now)))
            for key, title in self._titles.items()
            if not self._is_over(key)
        ]

    def counts(self) -> str:
        """Count the jobs by status."""
        statuses = (self._last[key].status if key in self._last else "not seen yet" for key in self._titles)
        return printable(", ".join(f"{count} {status}" for status, count in Counter(statuses).most_common()))

    def _is_over(self, key: JobKey) -> bool:
        return key in self._last and is_terminal(self._last[key].state)

    def _standing(self, key: JobKey, now: datetime) -> str:
        last, failure = self._last.get(key), self._failures.get(key)
        text = _status_of(last, now) if last else _UNSEEN
        return f"{text} · {failure.error}" if failure else text


def _status_of(last: Transition, now: datetime) -> str:
    text = f"{last.status} for {since_transition(last, now)}"
    finish = last.facts.estimated_finish
    return f"{text}, expected to end in {format_duration(finish - now)}" if finish and finish > now else text
