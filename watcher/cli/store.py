"""Commands that work on the record, while the service runs or not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from watcher.cli.options import JobReference, read_settings_for_store
from watcher.domain.jobs import JobKey
from watcher.errors import ConfigurationError
from watcher.service.bootstrap import open_store

if TYPE_CHECKING:
    from watcher.store.sql import SqlStore

T = TypeVar("T")


def with_store(config: Path | None, work: Callable[[SqlStore], Awaitable[T]]) -> T:
    """Open the record that the configuration names, do the work, and close it."""

    async def opened() -> T:
        async with open_store(read_settings_for_store(config)) as store:
            return await work(store)

    return asyncio.run(opened())


async def find_key(store: SqlStore, reference: JobReference) -> JobKey:
    """Return the key of a watched job. Raises ConfigurationError if there is none, or several sources have one."""
    found = [job.key for job in await store.find_jobs(reference.id) if reference.source in {None, job.key.source}]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigurationError(
            f"{reference.id} is watched at several sources; name one: {', '.join(map(str, found))}"
        )
    raise ConfigurationError(f"{reference.id} is not watched; `watcher jobs list` shows what is")
