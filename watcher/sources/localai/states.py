"""The statuses of LocalAI, and what they mean."""

from __future__ import annotations

from watcher.domain.states import JobState, StateMap

LOCALAI_STATES = StateMap(
    {
        "queued": JobState.QUEUED,
        "loading_model": JobState.RUNNING,
        "loading_dataset": JobState.RUNNING,
        "training": JobState.RUNNING,
        "saving": JobState.RUNNING,  # comes at each checkpoint, and training again after it
        "completed": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "stopped": JobState.CANCELLED,  # so are all active jobs after a restart of the server
    }
)
