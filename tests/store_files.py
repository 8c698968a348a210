"""Files of the SQLite store for tests that play many stories: each begins with a copy of one that was made once."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from watcher.domain.jobs import JobSpec
from watcher.store.sql import SqlStore


def store_file(directory: Path, jobs: Sequence[JobSpec], now: datetime) -> Path:
    """Make a store that watches these jobs, and nothing has happened to."""
    path = directory / "empty.db"

    async def make() -> None:
        async with SqlStore(f"sqlite:///{path}") as store:
            await store.upsert_jobs(jobs, now)

    asyncio.run(make())
    return path


@contextmanager
def copy_of(empty: Path) -> Iterator[str]:
    """Copy a store for one story; yield the URL of the copy, which is deleted afterwards."""
    copy = empty.with_name("played.db")
    shutil.copyfile(empty, copy)
    try:
        yield f"sqlite:///{copy}"
    finally:
        for left in copy.parent.glob("played.db*"):
            left.unlink()
