"""The statuses of Azure, and what they mean."""

from __future__ import annotations

from watcher.domain.states import JobState, StateMap

AZURE_STATES = StateMap(
    {
        "created": JobState.PENDING,
        "pending": JobState.PENDING,
        "notRunning": JobState.QUEUED,
        "validating_files": JobState.VALIDATING,
        "queued": JobState.QUEUED,
        "running": JobState.RUNNING,
        "pausing": JobState.PAUSED,
        "paused": JobState.PAUSED,
        "resuming": JobState.PAUSED,
        "canceling": JobState.UNKNOWN,  # it may never have run, and may yet succeed
        "succeeded": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "validating": JobState.VALIDATING,
        "in_progress": JobState.RUNNING,
        "finalizing": JobState.RUNNING,
        "completed": JobState.SUCCEEDED,
        "expired": JobState.FAILED,
        "cancelled": JobState.CANCELLED,
        "canceled": JobState.CANCELLED,
    }
)
"""`created` is documented as never returned, `notRunning` and `canceling` are known from other clients only.
`validating` and what follows it to `expired` are those of batches."""
