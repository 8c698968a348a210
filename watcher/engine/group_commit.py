"""Commits whatever is ready in one transaction, and keeps what could not be committed until it can."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic, Protocol, Self, TypeVar

from watcher.engine.ports import Log
from watcher.errors import StoreError

RETRY_SECONDS = 1.0
"""How soon a refused commit is tried again. The store itself has already waited for a busy database."""

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Committed(Protocol[T_contra]):
    """Who wants to know what became of the items."""

    def committed(self, items: Sequence[T_contra], result: object) -> None:
        """Hear that these are in the record; `result` is what the commit returned."""
        ...

    def dropped(self, item: T_contra) -> None:
        """Hear that this one can never be recorded."""
        ...


class GroupCommit(Generic[T]):
    """A queue in front of the record: while one transaction commits, the next one gathers.

    Enter it to start; leaving it waits until all is committed, or refused once more.
    """

    def __init__(
        self, what: str, commit: Callable[[Sequence[T]], Awaitable[object]], owner: Committed[T], log: Log
    ) -> None:
        """`what` names the items in the log."""
        self._what = what
        self._commit = commit
        self._owner = owner
        self._log = log
        self._waiting: list[T] = []
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
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
        if self._waiting:
            self._idle.clear()
            self._hurry.set()
        await self._idle.wait()
        self._task.cancel()
        await asyncio.wait([self._task])
        if self._waiting:
            self._log.error("stopped with unrecorded items", what=self._what, items=len(self._waiting))

    def put(self, item: T) -> None:
        """Have the item committed soon, in order."""
        self._waiting.append(item)
        self._idle.clear()
        self._wake.set()

    def take_back(self, is_meant: Callable[[T], bool]) -> list[T]:
        """Take back items that are not on their way into the record yet, and return them."""
        meant = [item for item in self._waiting if is_meant(item)]
        if meant:
            self._waiting = [item for item in self._waiting if not is_meant(item)]
        return meant

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._idle.clear()
            batch, self._waiting = self._waiting, []
            left = await self._left_of(batch)
            self._waiting = left + self._waiting
            if left:
                self._idle.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_SECONDS):
                        await self._hurry.wait()
                self._hurry.clear()
                self._wake.set()
            elif not self._waiting:
                self._idle.set()

    async def _left_of(self, batch: list[T]) -> list[T]:
        """Commit a batch; return what the record did not take."""
        try:
            result = await self._commit(batch) if batch else None
        except StoreError as error:
            self._refuse(error)
            return batch
        except Exception as error:  # noqa: BLE001 - one item that cannot be written must not hold up all others
            return await self._left_singly(batch, error)
        self._accept(batch, result)
        return []

    async def _left_singly(self, batch: list[T], error: Exception) -> list[T]:
        if len(batch) == 1:
            self._log.exception("item cannot be recorded, dropped", what=self._what, error=type(error).__name__)
            self._owner.dropped(batch[0])
            return []
        for index, item in enumerate(batch):
            if left := await self._left_of([item]):
                return left + batch[index + 1 :]
        return []

    def _refuse(self, error: StoreError) -> None:
        is_news, self.refusal = self.refusal is None, error
        if is_news:
            self._log.error("record not written, keeping what it lacks", what=self._what, error=str(error))

    def _accept(self, batch: Sequence[T], result: object) -> None:
        is_news, self.refusal = self.refusal is not None, None
        if is_news:
            self._log.info("record written again", what=self._what, items=len(batch))
        try:
            self._owner.committed(batch, result)
        except Exception as error:  # noqa: BLE001 - what is recorded is recorded: it must not be tried again
            self._log.exception("after recording", what=self._what, error=type(error).__name__)
