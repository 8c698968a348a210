"""Who is shown how far jobs have come while they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from watcher.domain.jobs import Job, JobKey, Progress


class ProgressAudience(Protocol):
    """Who is shown how far jobs have come, in between what is told. Nothing of it is owed: it may be dropped."""

    def wants(self, key: JobKey) -> bool:
        """Tell whether the progress of a job is worth a request now."""
        ...

    def note_asked(self, key: JobKey) -> None:
        """Note that the progress of a job was asked for, whatever that brought: not to be asked for again at once."""
        ...

    def show(self, job: Job, progress: Progress) -> None:
        """Have the progress of a job shown, if it is time to."""
        ...

    def forget(self, key: JobKey) -> None:
        """Show nothing more of what is known of a job: there is news of it."""
        ...


class _Nobody:
    """Is shown nothing."""

    def wants(self, key: JobKey) -> bool:  # noqa: ARG002 - all are alike
        """See `ProgressAudience`."""
        return False

    def note_asked(self, key: JobKey) -> None:
        """See `ProgressAudience`."""

    def show(self, job: Job, progress: Progress) -> None:
        """See `ProgressAudience`."""

    def forget(self, key: JobKey) -> None:
        """See `ProgressAudience`."""


NOBODY = _Nobody()
