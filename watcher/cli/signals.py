"""Commands that a signal may end in good order."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from watcher.cli.interrupts import SIGNALS, end_at_once, end_at_once_on_signals

OBJECTS_BETWEEN_COLLECTIONS = 10_000
"""How many are made before Python looks for cycles among them: with its own 700, that look takes a quarter of all the
time that ten thousand jobs cost, and finds next to nothing."""


def run_until_signal(main: Coroutine[Any, Any, int]) -> int:
    """Run to the end, or to SIGINT or SIGTERM; return the exit code: 128 + the signal's number for a signal.

    The first signal cancels the coroutine, which then puts away what it has open; a second one ends the process.
    """
    gc.freeze()  # what was loaded stays
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    return asyncio.run(_until_signal(main))


async def _until_signal(main: Coroutine[Any, Any, int]) -> int:
    loop = asyncio.get_running_loop()
    task = loop.create_task(main)
    caught: list[int] = []

    def on_first(number: int) -> None:
        caught.append(number)
        loop.call_soon_threadsafe(task.cancel)

    with _woken_by_signals(loop), _first_signal_to(on_first):
        try:
            return await task
        except asyncio.CancelledError:
            if not caught:
                raise
            return 128 + caught[0]


@contextmanager
def _first_signal_to(receive: Callable[[int], None]) -> Iterator[None]:
    received: list[int] = []

    def on_signal(number: int, frame: object) -> None:
        if received:
            end_at_once(number, frame)
        received.append(number)
        receive(number)

    for number in SIGNALS:
        signal.signal(number, on_signal)
    try:
        yield
    finally:
        end_at_once_on_signals()


@contextmanager
def _woken_by_signals(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Have a signal wake the loop, so that Python runs its handler without delay.

    `loop.add_signal_handler` does so too, but leaves Python's own handlers behind when the loop is closed: a signal
    that comes then would kill the process, or raise KeyboardInterrupt.
    """
    reading, writing = socket.socketpair()
    with reading, writing:
        reading.setblocking(False)
        writing.setblocking(False)
        loop.add_reader(reading, reading.recv, 4096)
        before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(reading)
