"""Name look-ups that never block each other: each in its own thread, one per name at a time.

The system's look-up cannot be interrupted, and takes up to a minute when no name server answers. A pool of threads that
is shared (asyncio's, tokio's) fills up with such look-ups, and is waited for when the process ends. Here a client has
one thread for each name that it asks for, and nothing waits for a thread.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from watcher.http.errors import CANNOT_CONNECT, HttpError, NotConnectedError

FRESH_SECONDS = 30.0
"""How long an answer is used without asking again."""


@dataclass(slots=True)
class _Known:
    addresses: list[str] = field(default_factory=list)
    """Those that were found last; the one that worked last stands first."""
    until: float = 0.0
    """The loop's time after which they are looked up again."""
    pending: asyncio.Future[list[str]] | None = None


class Lookup:
    """The addresses of names, for one client."""

    def __init__(self, fresh_seconds: float = FRESH_SECONDS) -> None:
        """Make a look-up that knows nothing yet."""
        self._fresh_seconds = fresh_seconds
        self._known: defaultdict[str, _Known] = defaultdict(_Known)

    async def addresses(self, host: str, deadline: float) -> list[str]:
        """Return the addresses of a host.

        Raises NotConnectedError if there are none, TimeoutError if they are not known by the deadline, a time of the
        event loop.

        Known addresses are used while they are looked up again, so that a name server that is down does no harm to
        what is reached already.
        """
        known = self._known[host]
        loop = asyncio.get_running_loop()
        if known.until > loop.time():
            return known.addresses
        if known.pending is None:
            known.pending = loop.create_future()
            threading.Thread(
                target=_look_up, args=(host, loop, self._keep, known), name=f"look-up of {host}", daemon=True
            ).start()
        if known.addresses:
            return known.addresses
        async with asyncio.timeout_at(deadline):
            # Shielded: the look-up goes on for the others that wait for it.
            return await asyncio.shield(known.pending)

    def worked(self, host: str, address: str) -> None:
        """Put an address first, as it could be connected to."""
        known = self._known.get(host)
        if known and known.addresses[:1] != [address] and address in known.addresses:
            known.addresses = [address, *(other for other in known.addresses if other != address)]

    def failed(self, host: str) -> None:
        """Forget the addresses of a host, as none of them could be connected to."""
        if known := self._known.get(host):
            known.addresses, known.until = [], 0.0

    def _keep(self, known: _Known, found: list[str] | HttpError, now: float) -> None:
        pending, known.pending = known.pending, None
        if isinstance(found, list):
            # The address in use stays in use while the name still has it: answers come in changing order.
            kept = [address for address in known.addresses[:1] if address in found]
            known.addresses = [*kept, *(address for address in found if address not in kept)]
            known.until = now + self._fresh_seconds
        elif known.addresses:
            known.until = now + self._fresh_seconds
        if pending is None or pending.done():
            return
        if isinstance(found, list):
            pending.set_result(known.addresses)
        else:
            pending.set_exception(found)
            pending.exception()  # perhaps no task waits for it any more


_Keep = Callable[[_Known, "list[str] | HttpError", float], None]


def _look_up(host: str, loop: asyncio.AbstractEventLoop, keep: _Keep, known: _Known) -> None:
    found: list[str] | HttpError
    try:
        infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        found = list(dict.fromkeys(str(info[4][0]) for info in infos))
    except (OSError, UnicodeError) as error:
        found = NotConnectedError(f"{CANNOT_CONNECT}: {getattr(error, 'strerror', None) or 'no such name'}")
    with suppress(RuntimeError):  # the loop has ended meanwhile
        loop.call_soon_threadsafe(keep, known, found, loop.time())
