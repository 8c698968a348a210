"""How the store runs its transactions: one after the other, on threads of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from watcher.engine.runtime import Telemetry
from watcher.errors import StoreError
from watcher.store.database import connect
from watcher.store.migrate import make_ready
from watcher.store.thread import StoreThread
from watcher.store.timeouts import Waits

OPENING = timedelta(minutes=10)
"""How long a migration may take."""

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


class StoreAccess:
    """Two connections, each on a thread of its own, which is faster than a driver that speaks asyncio.

    On one runs what polling and delivering need, on the other what is read for people and for learning, and may take
    its time. Every method may raise StoreError.
    """

    def __init__(self, url: str, telemetry: Telemetry, waits: Waits) -> None:
        """Raises ConfigurationError for a wrong URL."""
        self.database = connect(url, waits)
        """For what polling and delivering need."""
        self.view = connect(url, waits)
        """For what is only read, and may take its time."""
        self._telemetry = telemetry
        self._thread = StoreThread(self.database.place.cut, waits)
        self._view_thread = StoreThread(self.view.place.cut, waits, "store-view")

    async def open(self) -> None:
        """Create or migrate the database where that is needed.

        Raises StoreUnavailableError, or StoreUnusableError for a database that is not for this program.
        """
        await self._thread.run(partial(make_ready, self.database), OPENING)
        self.view.place.check()  # both stay with the file that is there now

    async def close(self) -> None:
        """Close both, when what is under way has ended."""
        for thread, database in ((self._view_thread, self.view), (self._thread, self.database)):
            await thread.run(database.close)
            thread.close()

    async def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read what polling and delivering need."""

        def transaction() -> T:
            with self._timed(work.__name__), self.database.reading() as connection:
                return work(connection, *args, **kwargs)

        return await self._thread.ask(transaction)

    async def find_and_write(
        self,
        find: Callable[Concatenate[Connection, P], T],
        work: Callable[[Connection, T], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R | None:
        """Read what is to be done, and do it, one right after the other; None, and nothing is written, for nothing."""

        def transactions() -> R | None:
            with self._timed(find.__name__), self.database.reading() as connection:
                found = find(connection, *args, **kwargs)
            if not found:
                return None
            with self._timed(work.__name__), self.database.writing() as connection:
                return work(connection, found)

        return await self._thread.ask(transactions)

    async def look_up(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read what may take long, without holding up what writes."""

        def transaction() -> T:
            with self._timed(work.__name__), self.view.reading() as connection:
                return work(connection, *args, **kwargs)

        return await self._view_thread.ask(transaction)

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write in one transaction."""

        def transaction() -> T:
            with self._timed(work.__name__), self.database.writing() as connection:
                return work(connection, *args, **kwargs)

        return await self._thread.run(transaction)

    @contextmanager
    def _timed(self, operation: str) -> Iterator[None]:
        """Report the time of a transaction, on the store's thread; waiting for that thread does not count."""
        begun = monotonic()
        try:
            yield
        except StoreError:
            self._telemetry.store_failed(operation)
            raise
        self._telemetry.stored(operation, monotonic() - begun)
