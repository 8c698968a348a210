"""Pages that many look at are made once: twelve tabs cost what one does."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page as it was at one moment."""

    html: str
    tag: str
    """Changes with the page, but not with the time that it was made at."""
    as_of: str
    """When it was made, in words."""


class SharedPages:
    """Keeps each page for a moment after it was made, and lets whoever asks meanwhile wait for the same."""

    def __init__(self, age: timedelta, time_of_day: Callable[[], str]) -> None:
        """A page is made anew when it is older than `age`; at zero it is kept only while it is made."""
        self._age = age.total_seconds()
        self._time_of_day = time_of_day
        self._kept: dict[str, asyncio.Task[Rendered]] = {}

    async def get(self, address: str, make: Callable[[], Awaitable[str]]) -> Rendered:
        """Return the page at an address. Raises what making it raises, to all who wait for it."""
        made = self._kept.get(address)
        if made is None:
            made = self._kept[address] = asyncio.create_task(self._render(make))
            made.add_done_callback(lambda _: self._forget_later(address, made))
        # One who gives up must not take it from the others.
        return await asyncio.shield(made)

    def clear(self) -> None:
        """Forget all pages: something was changed that they may show."""
        self._kept.clear()

    async def _render(self, make: Callable[[], Awaitable[str]]) -> Rendered:
        as_of = self._time_of_day()
        html = await make()
        return Rendered(html, f'"{hashlib.blake2b(html.encode(), digest_size=12).hexdigest()}"', as_of)

    def _forget_later(self, address: str, made: asyncio.Task[Rendered] | None) -> None:
        has_failed = made is None or made.cancelled() or made.exception() is not None
        if has_failed or not self._age:
            self._forget(address, made)
        else:
            asyncio.get_running_loop().call_later(self._age, self._forget, address, made)

    def _forget(self, address: str, made: asyncio.Task[Rendered] | None) -> None:
        if self._kept.get(address) is made:
            del self._kept[address]
