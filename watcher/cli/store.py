"""Commands that work on the store, while the service runs or not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from watcher.cli.job_reference import JobReference
from watcher.cli.options import read_settings_for_store
from watcher.cli.output import tell
from watcher.domain.durations import format_duration
from watcher.domain.jobs import JobKey
from watcher.errors import ConfigurationError
from watcher.service.bootstrap import open_store

if TYPE_CHECKING:
    from watcher.store.sql import SqlStore

T = TypeVar("T")


def with_store(config: Path | None, work: Callable[[SqlStore], Awaitable[T]]) -> T:
    """Open the store that the configuration names, do the work, and close it; say on standard error which one it is."""

    async def opened() -> T:
        async with open_store(read_settings_for_store(config)) as store:
            tell(f"store: {store.name}")
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


async def tell_if_unattended(store: SqlStore, now: datetime) -> bool:
    """Say on standard error when no service works on the store; return whether that is so."""
    from watcher.store.living_services import SIGN_OF_LIFE_HOLDS

    seen = await store.service_seen()
    if seen is not None and now - seen <= SIGN_OF_LIFE_HOLDS:
        return False
    last = f"the last sign of one is {format_duration(now - seen)} old" if seen else "none has left a sign"
    tell(f"no service works on this store ({last}): nothing is polled until `watcher run` is started on it")
    return True
