"""The statuses of Together AI, and what they mean."""

from __future__ import annotations

from watcher.domain.states import JobState, StateMap

TOGETHER_STATES = StateMap(
    {
        "pending": JobState.QUEUED,
        "queued": JobState.QUEUED,
        "running": JobState.RUNNING,
        "compressing": JobState.RUNNING,  # training is over, but the model cannot be used yet
        "uploading": JobState.RUNNING,
        "cancel_requested": JobState.UNKNOWN,  # it may never have run, and may yet end in another way
        "completed": JobState.SUCCEEDED,
        "error": JobState.FAILED,
        "user_error": JobState.FAILED,
        "cancelled": JobState.CANCELLED,
    }
)
"""`user_error` is missing from the published description, but is in the vendor's command line: the data or the settings
were refused."""
