"""The statuses of Bedrock's jobs, and what they mean."""

from __future__ import annotations

from watcher.domain.states import JobState, StateMap

BEDROCK_STATES = StateMap(
    {
        "InProgress": JobState.RUNNING,
        "Stopping": JobState.UNKNOWN,  # it may yet complete or fail
        "Completed": JobState.SUCCEEDED,
        "Failed": JobState.FAILED,
        "Stopped": JobState.CANCELLED,
    }
)
"""The words are those of the vendor's SDK. Validation and waiting are `InProgress` too: `statusDetails` makes no
status."""
