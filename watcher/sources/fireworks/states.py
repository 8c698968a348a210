"""The states that Fireworks AI gives to a job, which are its statuses, and what they mean."""

from __future__ import annotations

from watcher.domain.states import JobState, StateMap

PREFIX = "JOB_STATE_"
_WORDS = {
    "CREATING": JobState.QUEUED,
    "PENDING": JobState.QUEUED,
    "RE_QUEUEING": JobState.QUEUED,
    "CREATING_INPUT_DATASET": JobState.QUEUED,
    "VALIDATING": JobState.VALIDATING,
    "RUNNING": JobState.RUNNING,
    "WRITING_RESULTS": JobState.RUNNING,
    "ROLLOUT": JobState.RUNNING,  # these three only of reinforcement jobs
    "EVALUATION": JobState.RUNNING,
    "POLICY_UPDATE": JobState.RUNNING,
    "PAUSED": JobState.PAUSED,  # as a rule the account is suspended
    "IDLE": JobState.UNKNOWN,
    "CANCELLING": JobState.UNKNOWN,  # it may yet end in another way
    "DELETING": JobState.UNKNOWN,
    "DELETING_CLEANING_UP": JobState.UNKNOWN,
    "UNSPECIFIED": JobState.UNKNOWN,
    "COMPLETED": JobState.SUCCEEDED,
    "EARLY_STOPPED": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
    "EXPIRED": JobState.FAILED,
    "FAILED_CLEANING_UP": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
    "DELETED": JobState.CANCELLED,  # what is left of a job for 30 days
}
FIREWORKS_STATES = StateMap({**_WORDS, **{PREFIX + word: state for word, state in _WORDS.items()}})
"""Older jobs have the words without the prefix. The words are those of the vendor's SDK and of its documentation."""
