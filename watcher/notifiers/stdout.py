"""The stdout notifier: one line for each message, for people or for programs."""

from __future__ import annotations

import asyncio
import contextlib
import select
import sys
from datetime import timedelta
from threading import Lock, Thread
from typing import BinaryIO, Literal

from watcher.domain.deliveries import Delivered, Failed, Outcome
from watcher.domain.messages import Message, encode, line_of
from watcher.errors import OutputClosedError
from watcher.plugins.notifier import Context, Plugin
from watcher.plugins.section import Section

PATIENCE = timedelta(seconds=15)
"""How long an attempt waits for the reader."""
NOT_READ = "standard output is not being read"
_turn = Lock()
"""Held while a line is written, so that the lines of several notifiers do not mix."""


class Config(Section):
    """How to write a message."""

    format: Literal["text", "json"] = "text"
    """`text`: a line for people. `json`: the envelope of the webhook notifier."""


class Stdout:
    """Writes each message as one line."""

    concurrency = 1

    def __init__(self, config: Config, patience: timedelta = PATIENCE) -> None:
        """Make the notifier; `patience` is how long an attempt may take."""
        self._compose = encode if config.format == "json" else line_of
        self._patience_seconds = patience.total_seconds()
        self._is_writing = False
        self._is_torn = False

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:  # noqa: ARG002 - sends anew
        """Write one line. Raises OutputClosedError when the reader is gone."""
        if self._is_writing:  # the last line, still
            return Failed(NOT_READ)
        try:
            async with asyncio.timeout(self._patience_seconds):
                error = await self._start(self._compose(message) + "\n")
        except TimeoutError:
            return Failed(NOT_READ)
        if isinstance(error, BrokenPipeError | ValueError):  # ValueError: closed on our own side
            raise OutputClosedError("standard output is closed")
        return Failed(f"standard output: {error.strerror}") if error else Delivered()

    def _start(self, line: str) -> asyncio.Future[OSError | ValueError | None]:
        """Write in a thread that is left behind if it gets stuck: it must hold up neither the loop nor the exit."""
        loop = asyncio.get_running_loop()
        written: asyncio.Future[OSError | ValueError | None] = loop.create_future()
        stream, encoding = _stream()
        encoded = line.encode(encoding, "backslashreplace")

        def write() -> None:
            error = self._write(stream, encoded)
            self._is_writing = False
            with contextlib.suppress(RuntimeError):  # the loop has been closed: no task waits for this any more
                loop.call_soon_threadsafe(_settle, written, error)

        self._is_writing = True
        Thread(target=write, name="stdout", daemon=True).start()
        return written

    def _write(self, stream: BinaryIO, line: bytes) -> OSError | ValueError | None:
        rest = memoryview(b"\n" + line if self._is_torn else line)
        try:
            with _turn:
                while rest:
                    count: int | None = stream.write(rest)
                    if count is None:  # a full pipe that another process made non-blocking
                        select.select([], [stream], [])
                    else:
                        rest = rest[count:]
                        self._is_torn = bool(rest)
        except (OSError, ValueError) as error:
            return error
        return None


def _build(config: Config, _context: Context) -> Stdout:
    return Stdout(config)


plugin = Plugin(Config, _build)


def _stream() -> tuple[BinaryIO, str]:
    # The raw stream: a buffer keeps what could not be written, and its lock, and trips over both at exit.
    if sys.stdout is None:
        raise OutputClosedError("standard output is closed")
    buffer = sys.stdout.buffer
    return getattr(buffer, "raw", buffer), sys.stdout.encoding


def _settle(written: asyncio.Future[OSError | ValueError | None], error: OSError | ValueError | None) -> None:
    if not written.done():
        written.set_result(error)
