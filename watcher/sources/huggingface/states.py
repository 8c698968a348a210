"""The stages of Hugging Face's jobs, which are their statuses, and what they mean."""

from __future__ import annotations

from watcher.domain.states import JobState, StateMap

HUGGINGFACE_STATES = StateMap(
    {
        "SCHEDULING": JobState.QUEUED,
        "RUNNING": JobState.RUNNING,
        "COMPLETED": JobState.SUCCEEDED,
        "ERROR": JobState.FAILED,
        "CANCELED": JobState.CANCELLED,
        "DELETED": JobState.CANCELLED,
    }
)
"""The words are those of the vendor's SDK."""
