"""How the jobs stand that have not ended, for the digests of notifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from watcher.domain.messages import TableRow
from watcher.domain.routing import Route
from watcher.domain.summaries import present_rows
from watcher.engine.runtime import Runtime
from watcher.errors import StoreError

if TYPE_CHECKING:
    from watcher.store.sql import SqlStore


class PresentJobs:
    """Reads from the store what runs and what is stuck, when a digest goes out."""

    def __init__(
        self, store: SqlStore, routes: Sequence[Route], stuck_after: Mapping[str, timedelta], runtime: Runtime
    ) -> None:
        self._store = store
        self._routes = {route.notifier: route for route in routes}
        self._stuck_after = stuck_after
        self._runtime = runtime

    async def __call__(self, notifier: str) -> Mapping[str, TableRow]:
        """Return a row for each job that the notifier hears of, by its thread; none while the store is out of reach."""
        try:
            jobs = await self._store.jobs()
        except StoreError as error:
            self._runtime.log.debug("a digest without what runs: the store cannot be read", error=str(error))
            return {}
        return present_rows(jobs, self._routes[notifier], self._stuck_after, self._runtime.clock())
