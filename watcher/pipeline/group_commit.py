"""Commits whatever is ready in one transaction, and keeps what could not be committed until it can."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic, Self, TypeVar

from watcher.errors import StoreError
from watcher.pipeline.ports import Log

RETRY_SECONDS = 1.0
"""How soon a refused commit is tried again. The store itself has already waited for a busy database."""

T = TypeVar("T")


class GroupCommit(Generic[T]):
    """A queue in front of the record: while one transaction commits, the next one gathers.

    Enter it to start; leaving it waits until all is committed, or refused once more.
    """

    def __init__(self, what: str, commit: Callable[[Sequence[T]], Awaitable[None]], log: Log) -> None:
        """`what` names the items in the log."""
        self._what = what
        self._commit = commit
        self._log = log
        self._waiting: list[T] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.refusal: StoreError | None = None
        """Why the record cannot be written; None while it can."""

    async def __aenter__(self) -> Self:
        """Start committing."""
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Commit what is left, and stop."""
        await self._idle.wait()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        if self._waiting:
            self._log.error("stopped with unrecorded items", what=self._what, items=len(self._waiting))

    def put(self, item: T) -> None:
        """Have the item committed soon, in order."""
        self._waiting.append(item)
        self._idle.clear()
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._waiting = self._waiting, []
            if await self._is_committed(batch):
                if not self._waiting:
                    self._idle.set()
            else:
                self._waiting = batch + self._waiting
                self._idle.set()
                await asyncio.sleep(RETRY_SECONDS)
                self._wake.set()

    async def _is_committed(self, batch: Sequence[T]) -> bool:
        try:
            await self._commit(batch)
        except StoreError as error:
            if not self.refusal:
                self._log.error("record not written, keeping what it lacks", what=self._what, error=str(error))
            self.refusal = error
            return False
        except Exception as error:  # noqa: BLE001 - one item that cannot be written must not hold up all others
            return await self._is_committed_singly(batch, error)
        if self.refusal:
            self._log.info("record written again", what=self._what, items=len(batch))
        self.refusal = None
        return True

    async def _is_committed_singly(self, batch: Sequence[T], error: Exception) -> bool:
        if len(batch) > 1:
            return all([await self._is_committed([item]) for item in batch])
        self._log.exception("item cannot be recorded, dropped", what=self._what, error=type(error).__name__)
        return True
