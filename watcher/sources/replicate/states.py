"""The statuses of Replicate, and what they mean."""

from __future__ import annotations

from watcher.domain.states import JobState, StateMap

REPLICATE_STATES = StateMap(
    {
        "starting": JobState.QUEUED,
        "processing": JobState.RUNNING,
        "succeeded": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "canceled": JobState.CANCELLED,
    }
)
"""The words are those of the vendor's SDK."""
