"""The state of a recorded job, in SQL as in `rows`: as it was recorded, else as OpenAI's map tells it by the status.

A program of the first version moves a job and leaves the column `state` as it was: see `described_seq`.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, case, literal, literal_column, or_

from watcher.domain.states import OPENAI_STATES, TERMINAL, JobState, named_state
from watcher.store.schema import job

STATE: ColumnElement[str] = case(
    (and_(job.c.described_seq == job.c.seq, job.c.state.is_not(None)), job.c.state),
    *[(job.c.status == status, OPENAI_STATES(status).value) for status in sorted(OPENAI_STATES.statuses())],
    (job.c.status.is_not(None), JobState.UNKNOWN.value),
    else_=None,
)
"""The state of a job; null before the first sight."""

# Words of ours as they stand: SQLAlchemy refuses a list of values in a statement that is executed for many rows.
HAS_ENDED: ColumnElement[bool] = STATE.in_([literal_column(f"'{state.value}'") for state in sorted(TERMINAL)])
"""Whether a job is in a state that ends it; null or false before the first sight."""


def is_in(word: str) -> ColumnElement[bool]:
    """Return whether a job is in the status or in the state that a word names."""
    state = named_state(word)
    return job.c.status == word if state is None else or_(job.c.status == word, literal(state.value) == STATE)
