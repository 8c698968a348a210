"""What a store has recorded, whole: the program itself reads it page by page."""

from __future__ import annotations

from watcher.domain.jobs import JobKey
from watcher.domain.transitions import Transition
from watcher.store.sql import SqlStore

ALL = 100_000


async def history(store: SqlStore, key: JobKey) -> list[Transition]:
    """Return the recorded transitions of a job, the first one first."""
    return (await store.latest_transitions(key, ALL))[::-1]
