"""A thread that talks to the database, with a limit on waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import monotonic
from typing import TypeVar

from watcher.errors import StoreUnavailableError
from watcher.store.timeouts import USUAL_WAITS, Waits

T = TypeVar("T")


class StoreThread:
    """Runs work on a thread of its own, one piece after the other.

    While the database is out of reach and one piece of work tries it again, reads fail at once, so that no task queues
    for a database that is out of reach.
    """

    def __init__(self, cut: Callable[[], None], waits: Waits = USUAL_WAITS, name: str = "store") -> None:
        """`cut` is called, on another thread, when work takes too long: it makes the work fail."""
        self._cut = cut
        self._waits = waits
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._deadline: float | None = None
        """When the work that is being done has taken too long."""
        self._under_way = 0
        self._refusal: str | None = None
        """What the last work failed with, after a long wait."""
        self._watch: asyncio.TimerHandle | None = None

    async def ask(self, work: Callable[[], T]) -> T:
        """Run work that reads. Raises StoreUnavailableError at once where waiting is in vain."""
        if self._refusal and self._under_way:
            raise StoreUnavailableError(self._refusal)
        return await self.run(work)

    async def run(self, work: Callable[[], T], limit: timedelta | None = None) -> T:
        """Run work when its turn has come. A task that is cancelled stops waiting, but the work may still be done.

        `limit` takes the place of the longest time that work may take.
        """
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(
            self._thread, self._done, work, (limit or self._waits.longest_work).total_seconds()
        )
        self._under_way += 1
        if self._watch is None:
            self._watch = loop.call_later(self._waits.look_seconds, self._look, loop)
        try:
            return await future
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._watch.cancel()
                self._watch = None

    def close(self) -> None:
        """Accept no further work."""
        self._thread.shutdown(wait=False)

    def _done(self, work: Callable[[], T], seconds: float) -> T:
        begun, refusal = monotonic(), None
        self._deadline = begun + seconds
        try:
            return work()
        except StoreUnavailableError as error:
            if monotonic() - begun >= self._waits.slow_seconds:
                refusal = str(error)
            raise
        finally:
            self._deadline, self._refusal = None, refusal

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        deadline = self._deadline
        if deadline is not None and monotonic() >= deadline:
            self._cut()
        self._watch = loop.call_later(self._waits.look_seconds, self._look, loop)
