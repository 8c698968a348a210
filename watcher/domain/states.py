"""The nine states that the program derives from the statuses of services."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class JobState(StrEnum):
    """How a job stands. Every rule reads the state; people also see the service's own status."""

    PENDING = "pending"
    """Accepted by the service, not yet validated or queued."""
    VALIDATING = "validating"
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """The service uses a word that its plugin does not know. The job stays watched."""


class Status(StrEnum):
    """The six statuses that OpenAI documents. A service may use others: a status is any string."""

    VALIDATING_FILES = "validating_files"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
"""The states after which nothing is expected to happen."""
DEAD_ENDS = frozenset({JobState.FAILED, JobState.CANCELLED})
"""A job gets there from any state, so these prove nothing about the way."""
PATH = (JobState.VALIDATING, JobState.QUEUED, JobState.RUNNING)
"""The states that a job passes in order before it ends."""
RANK: Mapping[JobState, int] = {
    JobState.PENDING: -1,
    **{state: rank for rank, state in enumerate(PATH)},
    **dict.fromkeys(TERMINAL, len(PATH)),
}
"""The order of the states that have one."""

_MARKS: Mapping[JobState, str] = {
    JobState.SUCCEEDED: "✔",
    JobState.FAILED: "✘",
    JobState.CANCELLED: "⊘",
    JobState.RUNNING: "▶",
    JobState.PAUSED: "⏸",
    JobState.UNKNOWN: "?",
}
_WAITING_MARK = "…"
NEWS_MARK = "•"
"""Stands before news that tells of no end."""
_DOCUMENTED: Mapping[JobState, str] = {
    JobState.PENDING: Status.QUEUED,
    JobState.VALIDATING: Status.VALIDATING_FILES,
}


class StateMap:
    """The statuses of a service, and the state that each of them means."""

    def __init__(self, states: Mapping[str, JobState], *, any_case: bool = False) -> None:
        """`any_case` tells whether a word counts however it is capitalised."""
        self._states = dict(states)
        self._in_lower_case = {word.lower(): state for word, state in states.items()} if any_case else {}

    def __call__(self, status: str) -> JobState:
        """Return the state that the status means; UNKNOWN for a word that the map does not hold."""
        return self._states.get(status) or self._in_lower_case.get(status.lower(), JobState.UNKNOWN)

    def statuses(self) -> frozenset[str]:
        """Return the statuses that the map holds."""
        return frozenset(self._states)


_OPENAI: Mapping[str, JobState] = {
    Status.VALIDATING_FILES: JobState.VALIDATING,
    Status.QUEUED: JobState.QUEUED,
    Status.RUNNING: JobState.RUNNING,
    "pausing": JobState.PAUSED,
    "paused": JobState.PAUSED,
    "resuming": JobState.PAUSED,
    Status.SUCCEEDED: JobState.SUCCEEDED,
    Status.FAILED: JobState.FAILED,
    Status.CANCELLED: JobState.CANCELLED,
}
_BATCHES: Mapping[str, JobState] = {
    "validating": JobState.VALIDATING,
    "in_progress": JobState.RUNNING,
    "finalizing": JobState.RUNNING,
    "completed": JobState.SUCCEEDED,
    "failed": JobState.FAILED,
    "expired": JobState.FAILED,
    "cancelled": JobState.CANCELLED,
}
"""`cancelling` is none of them: it is not the end, and may come before any end."""
_AT_OPENAIS_PATHS: Mapping[str, JobState] = {
    "created": JobState.PENDING,
    "pending": JobState.PENDING,
    "notRunning": JobState.QUEUED,
    "validated": JobState.QUEUED,
    "started": JobState.RUNNING,
    "success": JobState.SUCCEEDED,
    "error": JobState.FAILED,
    "failed_validation": JobState.FAILED,
    "canceled": JobState.CANCELLED,
}
"""Words of other services that answer at OpenAI's paths: Azure behind a proxy, Mistral, gateways."""

OPENAI_STATES = StateMap({**_OPENAI, **_BATCHES, **_AT_OPENAIS_PATHS}, any_case=True)
"""OpenAI's statuses (the six documented ones, those of a job that is paused, those of batches), and those of services
that answer at OpenAI's paths, in any case."""


def is_openais_word(status: str) -> bool:
    """Return whether OpenAI itself uses this word for the status of a fine-tuning job."""
    return status in _OPENAI


def shown_status(status: str, state: JobState | None) -> str:
    """Say to people how a job stands: its state, and beside it the service's own word where that says more.

    OpenAI's words stand alone, and so does a word that is not known.
    """
    if state is None or state is JobState.UNKNOWN or is_openais_word(status):
        return status
    return state.value if status.lower() == state.value else f"{state} ({status})"


def is_known(word: str) -> bool:
    """Return whether a word of a setting or an option is a state, or a status that OpenAI itself uses."""
    return named_state(word) is not None or word in _OPENAI or word in _BATCHES


def is_terminal(state: JobState | None) -> bool:
    """Return whether a job in this state has ended. A job in an unknown state never has."""
    return state in TERMINAL


def mark(state: JobState | None) -> str:
    """Return a sign for a state, to stand beside its word; the states before `running`, and no state, share one."""
    return _MARKS.get(state, _WAITING_MARK) if state else _WAITING_MARK


def outcome_mark(state: JobState | None) -> str:
    """Return a sign for news of a job in this state: that of the state if it has ended."""
    return mark(state) if is_terminal(state) else NEWS_MARK


def documented_word(state: JobState) -> str:
    """Return the word for a state that receivers know: OpenAI's, where it has one."""
    return _DOCUMENTED.get(state, state.value)


def named_state(word: str) -> JobState | None:
    """Return the state that a word of a setting or an option names, OpenAI's words among them; None for no state."""
    if word == Status.VALIDATING_FILES:
        return JobState.VALIDATING
    return JobState(word) if word in set(JobState) else None


def is_meant(word: str, status: str, state: JobState) -> bool:
    """Return whether a word of a setting or an option means a job with this status in this state."""
    return word == status or named_state(word) is state
