"""The signals of the service: stop, which overtakes everything, and reload, of which one may be pending."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


class SignalRequests:
    """What the signals that came ask for."""

    def __init__(self) -> None:
        self._stop: asyncio.Future[signal.Signals] = asyncio.get_running_loop().create_future()
        self._reload = asyncio.Event()

    def on_stop(self, number: signal.Signals) -> None:
        """Have the service stop; the second such signal ends the process at once."""
        if self._stop.done():
            os._exit(128 + number)  # what was sent and not settled is sent again, with the same id
        self._stop.set_result(number)

    def on_reload(self) -> None:
        """Have the configuration reloaded once, however often this is asked for meanwhile."""
        self._reload.set()

    async def stop(self) -> signal.Signals:
        """Wait for a signal to stop, and return it."""
        return await asyncio.shield(self._stop)

    async def reload(self) -> None:
        """Wait for a signal to reload."""
        await self._reload.wait()
        self._reload.clear()


@contextmanager
def handled_signals() -> Iterator[SignalRequests]:
    """Handle SIGTERM, SIGINT and SIGHUP: they become requests. Afterwards they do what they did, and no SIGHUP ends us.

    The process goes on for a moment, and must not die of a reload that comes too late, nor of a KeyboardInterrupt.
    """
    loop = asyncio.get_running_loop()
    requests = SignalRequests()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        loop.add_signal_handler(number, requests.on_stop, number)
    loop.add_signal_handler(signal.SIGHUP, requests.on_reload)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # one that came while the service started comes now
    try:
        yield requests
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        loop.remove_signal_handler(signal.SIGHUP)
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
