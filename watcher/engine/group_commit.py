"""Commits everything that is ready in one transaction, and keeps what could not be committed for the next try."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Generic, Protocol, Self, TypeVar

from watcher.engine.runtime import Log
from watcher.errors import StoreError

RETRY_SECONDS = 1.0
"""How soon a refused commit is tried again. The store itself has already waited for a busy database."""
LONGEST_RETRY_FACTOR = 60
"""How many times that a single item is waited with at most that broke its commit each time."""

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Owner(Protocol[T_contra]):
    """The owner of the items: it is told their outcome."""

    def committed(self, items: Sequence[T_contra], result: object) -> None:
        """Hear that these are in the store; `result` is what the commit returned."""
        ...

    def key_of(self, item: T_contra) -> Hashable:
        """Name what the item is about: items about the same are committed in order."""
        ...


@dataclass(slots=True)
class _SetAside(Generic[T]):
    """Items about one thing, the first of which broke its commit."""

    items: deque[T]
    error: str
    """The type of the exception."""
    wait: float
    """Seconds until the next try."""
    next_try: float


class GroupCommit(Generic[T]):
    """A queue in front of the store: while one transaction commits, the next one gathers.

    No item is ever dropped. When the store refuses a batch, all of it is kept and tried again. When a commit breaks
    in any other way, the items are committed singly; one that breaks its own commit is set aside together with all
    that is about the same thing, tried again at growing intervals, and told of by `stuck`, while the others go on.

    Enter it to start; leaving it waits until all is committed, or refused once more.
    """

    def __init__(
        self,
        what: str,
        commit: Callable[[Sequence[T]], Awaitable[object]],
        owner: Owner[T],
        log: Log,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        """`what` names the items in the log."""
        self._what = what
        self._commit = commit
        self._owner = owner
        self._log = log
        self._retry_seconds = retry_seconds
        self._waiting: list[T] = []
        self._set_aside: dict[Hashable, _SetAside[T]] = {}
        self._trying: Hashable | None = None
        """Whose first item is on its way into the store again."""
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.refusal: StoreError | None = None
        """Why the store cannot be written; None while it can."""

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
        if not self._waiting:
            await self._retry(list(self._set_aside))
        if unrecorded := len(self._waiting) + sum(len(each.items) for each in self._set_aside.values()):
            self._log.error("stopped with unrecorded items", what=self._what, items=unrecorded)

    @property
    def has_waiting(self) -> bool:
        """Whether items wait for the next commit."""
        return bool(self._waiting)

    @property
    def stuck(self) -> StoreError | None:
        """Return what cannot be recorded although the store can be written; None if there is nothing."""
        if not self._set_aside:
            return None
        key, first = next(iter(self._set_aside.items()))
        more = f" and of {len(self._set_aside) - 1} more" if len(self._set_aside) > 1 else ""
        return StoreError(
            f"{self._what} cannot be recorded: of {key} ({first.error}){more}; they are kept and tried again,"
            " the log has the reason"
        )

    def put(self, item: T) -> None:
        """Have the item committed soon, in order."""
        if others := self._set_aside.get(self._owner.key_of(item)):
            others.items.append(item)
            return
        self._waiting.append(item)
        self._idle.clear()
        self._wake.set()

    def take_back(self, is_meant: Callable[[T], bool]) -> list[T]:
        """Take back items that are not on their way into the store yet, and return them."""
        meant = [item for item in self._waiting if is_meant(item)]
        if meant:
            self._waiting = [item for item in self._waiting if not is_meant(item)]
        for key, others in list(self._set_aside.items()):
            first = [others.items.popleft()] if key == self._trying else []
            meant += [item for item in others.items if is_meant(item)]
            others.items = deque([*first, *(item for item in others.items if not is_meant(item))])
            if not others.items:
                del self._set_aside[key]
        return meant

    async def _run(self) -> None:
        while True:
            await self._wait_for_work()
            self._idle.clear()
            batch, self._waiting = self._waiting, []
            left = await self._left_of(batch)
            self._waiting = left + self._waiting
            if not left:
                await self._retry(self._due())
            if left:
                self._idle.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._retry_seconds):
                        await self._hurry.wait()
                self._hurry.clear()
                self._wake.set()
            elif not self._waiting:
                self._idle.set()

    async def _wait_for_work(self) -> None:
        """Wait for an item, or until one that was set aside is to be tried again."""
        soonest = min((each.next_try for each in self._set_aside.values()), default=None)
        with suppress(TimeoutError):
            async with asyncio.timeout(None if soonest is None else max(soonest - monotonic(), 0)):
                await self._wake.wait()
        self._wake.clear()

    async def _left_of(self, batch: list[T]) -> list[T]:
        """Commit a batch, or set aside what breaks the commit; return what the store refused."""
        if not batch:
            return []
        try:
            result = await self._commit(batch)
        except StoreError as error:
            self._refuse(error)
            return batch
        except Exception as error:  # noqa: BLE001 - one item that cannot be written must not block all others
            if len(batch) == 1:
                self._put_aside(batch[0], error)
                return []
            return await self._left_singly(batch)
        self._accept(batch, result)
        return []

    async def _left_singly(self, batch: Sequence[T]) -> list[T]:
        rest = deque(batch)
        while rest:
            item = rest.popleft()
            key = self._owner.key_of(item)
            if left := await self._left_of([item]):
                return [*left, *rest]
            if others := self._set_aside.get(key):
                # What came meanwhile is behind it already; what is of the batch came before that.
                behind = [each for each in rest if self._owner.key_of(each) == key]
                others.items = deque([others.items[0], *behind, *list(others.items)[1:]])
                rest = deque(each for each in rest if self._owner.key_of(each) != key)
        return []

    def _put_aside(self, item: T, error: Exception) -> None:
        key = self._owner.key_of(item)
        self._log.exception(
            "item cannot be recorded, kept and tried again", what=self._what, of=str(key), error=type(error).__name__
        )
        behind = [each for each in self._waiting if self._owner.key_of(each) == key]
        self._waiting = [each for each in self._waiting if self._owner.key_of(each) != key]
        wait = self._retry_seconds
        self._set_aside[key] = _SetAside(deque([item, *behind]), type(error).__name__, wait, monotonic() + wait)

    def _due(self) -> list[Hashable]:
        now = monotonic()
        return [key for key, each in self._set_aside.items() if each.next_try <= now]

    async def _retry(self, keys: Sequence[Hashable]) -> None:
        """Try again what was set aside, each thing until an item of it fails."""
        for key in keys:
            while each := self._set_aside.get(key):
                self._trying = key
                try:
                    result = await self._commit([each.items[0]])
                except StoreError as error:
                    self._refuse(error)
                    return
                except Exception as error:  # noqa: BLE001 - as above
                    each.error = type(error).__name__
                    each.wait = min(each.wait * 2, self._retry_seconds * LONGEST_RETRY_FACTOR)
                    each.next_try = monotonic() + each.wait
                    break
                finally:
                    self._trying = None
                item = each.items.popleft()
                if not each.items:
                    del self._set_aside[key]
                    self._log.info("recorded after all", what=self._what, of=str(key))
                self._accept([item], result)

    def _refuse(self, error: StoreError) -> None:
        is_news, self.refusal = self.refusal is None, error
        if is_news:
            self._log.error("the store cannot be written, keeping what it lacks", what=self._what, error=str(error))

    def _accept(self, batch: Sequence[T], result: object) -> None:
        is_news, self.refusal = self.refusal is not None, None
        if is_news:
            self._log.info("the store can be written again", what=self._what, items=len(batch))
        try:
            self._owner.committed(batch, result)
        except Exception as error:  # noqa: BLE001 - what is recorded is recorded: it must not be tried again
            self._log.exception("after recording", what=self._what, error=type(error).__name__)
