"""What `watch` does with what happens: passes it on to the screen, to notifiers, and to the log."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from watcher.cli.followed_jobs import FollowedJobs
from watcher.cli.selection import SelectedJobs
from watcher.cli.watch_output import Screen
from watcher.domain.jobs import Job, Progress
from watcher.domain.polling_policy import PollFailure, PollOutcome
from watcher.domain.transitions import Transition
from watcher.engine.polling.follow import FollowListener

if TYPE_CHECKING:
    from watcher.engine.delivery.direct import DirectDelivery
    from watcher.engine.runtime import Runtime


class Listener:
    """Passes on what happens: to the screen, to notifiers, and to the log."""

    def __init__(
        self, jobs: FollowedJobs, screen: Screen, chosen: SelectedJobs, runtime: Runtime, *, looks_on: bool
    ) -> None:
        """`looks_on` tells whether somebody wants to see how the jobs train: that takes requests."""
        self.direct: DirectDelivery | None = None
        self._jobs = jobs
        self._screen = screen
        self._chosen = chosen
        self._runtime = runtime
        self._looks_on = looks_on

    def ears(self) -> FollowListener:
        """Return what the following of the jobs calls."""
        told = self._jobs.told if self._looks_on else None
        return FollowListener(self.transition, self.poll_failed, self.answered, told)

    def answered(self, job: Job, progress: Progress | None) -> None:
        """Note an answer."""
        self._jobs.answered(job, progress, self._runtime.clock())

    def transition(self, transition: Transition) -> None:
        """Show a transition, and tell of it."""
        self._jobs.transition(transition)
        self._screen.transition(transition)
        if self.direct:
            self.direct.tell(transition)

    def poll_failed(self, job: Job, failure: PollFailure, next_at: datetime | None) -> None:
        """Note a failed poll, and log it: the first one of several, and the last one."""
        self._jobs.poll_failed(job, failure, next_at)
        facts = {"job": str(job.key), "error": failure.error, "request_id": failure.request_id}
        log = self._chosen.log
        if next_at is None:
            log.error(_LAST_WORDS[failure.outcome], **facts, hint=self._chosen.hint(job.key.source, failure.error))
        elif job.failures == 1:
            log.warning("poll failed, going on", **facts)
        else:
            log.debug("poll failed again", failures=job.failures, **facts)


_LAST_WORDS = {
    PollOutcome.REJECTED: "the source rejects us",
    PollOutcome.MISSING: "job not found",
    PollOutcome.FAILED: "gave up: nothing but failed polls",
}
