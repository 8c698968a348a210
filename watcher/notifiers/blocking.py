"""Attempts that block, each in a thread of its own, bounded in number and in time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta
from threading import Thread

from watcher.domain.deliveries import Failed, Outcome

STILL_HANGING = "earlier attempts still hang"


class BlockingAttempts:
    """Runs attempts in threads that are left behind when they get stuck: they hold up neither the loop nor the exit."""

    def __init__(self, limit: int, patience: timedelta) -> None:
        """Run up to `limit` threads, those that were left behind among them; each attempt has `patience`."""
        self._limit = limit
        self._patience_seconds = patience.total_seconds()
        self._running = 0

    async def run(self, attempt: Callable[[], Outcome], abandon: Callable[[], None]) -> Outcome:
        """Return what the attempt came to. Raises whatever it raises.

        `abandon` is called when the attempt is given up; it should make the attempt end soon.
        """
        if self._running >= self._limit:
            return Failed(STILL_HANGING)
        ended = self._start(attempt)
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await ended
        except TimeoutError:
            return Failed(f"no answer within {self._patience_seconds:g} s")
        finally:
            if ended.cancelled() or not ended.done():
                abandon()

    def _start(self, attempt: Callable[[], Outcome]) -> asyncio.Future[Outcome]:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Outcome] = loop.create_future()

        def end(outcome: Outcome | None, error: BaseException | None) -> None:
            self._running -= 1
            if ended.done():
                return
            if error:
                ended.set_exception(error)
            elif outcome:
                ended.set_result(outcome)

        def work() -> None:
            outcome, error = None, None
            try:
                outcome = attempt()
            except BaseException as caught:  # noqa: BLE001 - it is raised where the attempt is waited for
                error = caught
            with contextlib.suppress(RuntimeError):  # the loop has been closed: the outcome is not needed any more
                loop.call_soon_threadsafe(end, outcome, error)

        self._running += 1
        Thread(target=work, name="attempt", daemon=True).start()
        return ended
