"""The statuses of Mistral, and what they mean."""

from __future__ import annotations

from watcher.domain.states import JobState, StateMap

MISTRAL_STATES = StateMap(
    {
        "QUEUED": JobState.QUEUED,
        "VALIDATING": JobState.VALIDATING,
        "VALIDATED": JobState.QUEUED,  # waits to be started, by the service or by its owner
        "STARTED": JobState.RUNNING,
        "RUNNING": JobState.RUNNING,
        "CANCELLATION_REQUESTED": JobState.UNKNOWN,  # it may never have run, and may yet end in another way
        "SUCCESS": JobState.SUCCEEDED,
        "FAILED": JobState.FAILED,
        "FAILED_VALIDATION": JobState.FAILED,
        "CANCELLED": JobState.CANCELLED,
    }
)
PATH = (JobState.QUEUED, JobState.RUNNING)
"""Whether its files are validated before it is queued or afterwards is not documented."""
