"""The states that Vertex AI gives to a job, which are its statuses, and what they mean."""

from __future__ import annotations

from watcher.domain.states import JobState, StateMap

VERTEX_STATES = StateMap(
    {
        "JOB_STATE_QUEUED": JobState.QUEUED,
        "JOB_STATE_PENDING": JobState.QUEUED,
        "JOB_STATE_RUNNING": JobState.RUNNING,
        "JOB_STATE_UPDATING": JobState.RUNNING,
        "JOB_STATE_PAUSED": JobState.PAUSED,
        "JOB_STATE_CANCELLING": JobState.UNKNOWN,  # it may yet succeed or fail
        "JOB_STATE_UNSPECIFIED": JobState.UNKNOWN,
        "JOB_STATE_SUCCEEDED": JobState.SUCCEEDED,
        "JOB_STATE_PARTIALLY_SUCCEEDED": JobState.SUCCEEDED,
        "JOB_STATE_FAILED": JobState.FAILED,
        "JOB_STATE_EXPIRED": JobState.FAILED,
        "JOB_STATE_CANCELLED": JobState.CANCELLED,
    }
)
"""The words are those of the vendor's SDK. `tuningJobState` tells more of a job that waits; it makes no status."""
