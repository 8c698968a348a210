"""How the watching of a job ends, where it does."""

from __future__ import annotations

from enum import StrEnum


class Ending(StrEnum):
    """How the watching of a job ended."""

    REACHED = "reached"
    """The status asked for came, or was passed on the way to success."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    NOT_FOUND = "not_found"
    GAVE_UP = "gave_up"
    TIMED_OUT = "timed_out"
