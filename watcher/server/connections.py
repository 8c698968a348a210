"""Limits on connections: clients can starve the server, but never polling and delivering.

uvicorn bounds none of this before a request is complete, so its protocol is bounded here.
"""

from __future__ import annotations

import asyncio
import ipaddress
import resource
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from watcher.engine.runtime import Log

MOST_CONNECTIONS = 128
DESCRIPTOR_SHARE = 4
"""The server takes one of so many file descriptors of the process; polling, delivering and the store keep the rest."""
READ_SIZE = 8 * 1024
"""Bytes that are taken from a connection before others have their turn."""
LONGEST_HEAD = 16 * 1024
"""Bytes of a request line and its headers."""
READING_SHARE = 0.2
"""The part of the time that may go into reading requests while other work waits."""
LONGEST_DEBT_SECONDS = 0.05
"""How far reading may run ahead of its share: ordinary requests never come to it."""
UNREADABLE = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\n"
    b"This is no HTTP/1.1 request, or its first lines are longer than %d bytes.\n" % LONGEST_HEAD
)
REPORT_SECONDS = 60.0
"""How often dropped connections are logged at most."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of the server. Times are in seconds."""

    connections: int = MOST_CONNECTIONS
    per_address: int = 32
    """Connections of one address, or of one IPv6 network of 64 bits; a socket file has no addresses."""
    head_seconds: float = 10
    """From the beginning of a connection, or the end of an answer, until the head of a request is complete."""
    answer_seconds: float = 30
    """From then until the answer is complete."""
    idle_seconds: int = 5
    """How long a connection is kept on which nothing comes after an answer."""
    stop_seconds: int = 3
    """How long answers under way may go on when the service stops."""


def affordable_bounds(descriptors: int | None = None) -> Bounds:
    """Return the bounds that a process with so many file descriptors can afford; by default, this process."""
    if descriptors is None:
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return Bounds()
    return Bounds(connections=max(1, min(MOST_CONNECTIONS, descriptors // DESCRIPTOR_SHARE)))


class Connections:
    """The open connections. Where there is no room, the one that has been silent for longest is closed for a new one.

    So idle connections block no other client, and a probe is always answered.
    """

    def __init__(self, bounds: Bounds, log: Log) -> None:
        self.bounds = bounds
        self._log = log
        self._open: dict[BoundedProtocol, None] = {}
        """In the order in which they fell silent."""
        self._paid_until = 0.0
        """When the time that reading has taken is paid for."""
        self._dropped = 0
        self._reported_at: float | None = None

    def add(self, new: BoundedProtocol) -> None:
        """Take a connection in, or close it where all others are being answered."""
        of_address = [each for each in self._open if new.origin and each.origin == new.origin]
        if len(of_address) >= self.bounds.per_address:
            self._drop(_silent(of_address) or new)
        elif len(self._open) >= self.bounds.connections:
            self._drop(_silent(self._open) or new)
        if not new.is_dropped:
            self._open[new] = None

    def fell_silent(self, connection: BoundedProtocol) -> None:
        """Note that an answer was given."""
        if connection in self._open:
            del self._open[connection]
            self._open[connection] = None

    def charge(self, seconds: float, now: float) -> float:
        """Charge the time that reading took; return how long that connection must pause to keep to the share.

        Requests can be made that take long to read: of thousands of headers, or of chunks of a single byte.
        """
        self._paid_until = max(self._paid_until, now) + seconds / READING_SHARE
        debt = self._paid_until - now
        return debt if debt > LONGEST_DEBT_SECONDS else 0

    def remove(self, connection: BoundedProtocol) -> None:
        """Note that a connection has ended."""
        self._open.pop(connection, None)

    def _drop(self, connection: BoundedProtocol) -> None:
        self.remove(connection)
        connection.drop()
        self._dropped += 1
        now = connection.loop.time()
        if self._reported_at is None or now - self._reported_at >= REPORT_SECONDS:
            self._log.warning("HTTP connections dropped: too many at once", dropped=self._dropped, open=len(self._open))
            self._reported_at, self._dropped = now, 0


class BoundedProtocol(H11Protocol, asyncio.BufferedProtocol):
    """One connection, read in small pieces, and closed when a request or its answer takes too long."""

    def __init__(self, connections: Connections, **given: Any) -> None:
        super().__init__(**given)
        self._connections = connections
        self._buffer = bytearray(READ_SIZE)
        self._deadline: asyncio.TimerHandle | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._is_refused = False
        self.origin: bytes | None = None
        """Where it comes from; None for a socket file."""
        self.is_dropped = False

    @property
    def is_answering(self) -> bool:
        """Whether a request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle  # there is none before the first request
        return cycle is not None and not cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.origin = _origin(transport)
        self._set_deadline()
        self._connections.add(self)

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - the size is a bound
        """Return where the next piece is put."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Read a piece."""
        if self._is_refused:
            return
        was_answering, begun = self.is_answering, self.loop.time()
        self.data_received(bytes(self._buffer[:nbytes]))
        if self.is_answering and not was_answering:
            self._set_deadline()
        now = self.loop.time()
        if rest := self._connections.charge(now - begun, now):
            self.transport.pause_reading()
            self._rest = self.loop.call_later(rest, self._read_on)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words say less
        """Refuse what cannot be read. What follows passes unread: closing now would discard the answer as well."""
        if self.conn.our_state is not h11.IDLE:
            self.drop()
            return
        self._is_refused = True
        self.transport.write(UNREADABLE)
        self.transport.write_eof()

    def on_response_complete(self) -> None:
        """Wait for the next request, and for the other side to take the answer."""
        super().on_response_complete()
        self._set_deadline()
        self._connections.fell_silent(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        for timer in filter(None, (self._deadline, self._rest)):
            timer.cancel()
        self._connections.remove(self)
        super().connection_lost(exc)

    def drop(self) -> None:
        """Close the connection at once, even in the middle of a request."""
        self.is_dropped = True
        self.transport.abort()

    def _read_on(self) -> None:
        if not self.flow.read_paused:  # else uvicorn has enough for now, and reads on itself
            self.transport.resume_reading()

    def _set_deadline(self) -> None:
        bounds = self._connections.bounds
        if self._deadline:
            self._deadline.cancel()
        seconds = bounds.answer_seconds if self.is_answering else bounds.head_seconds
        self._deadline = self.loop.call_later(seconds, self.drop)


def _silent(connections: Iterable[BoundedProtocol]) -> BoundedProtocol | None:
    return next((each for each in connections if not each.is_answering), None)


def _origin(transport: asyncio.Transport) -> bytes | None:
    peer = transport.get_extra_info("peername")
    if not isinstance(peer, tuple):
        return None
    address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    return address.packed if address.version == 4 else address.packed[:8]  # noqa: PLR2004 - IP versions
