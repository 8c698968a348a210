"""What carries exchanges: the interface, and the choice between the two that implement it.

A transport belongs to one server at one address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import httpx

from watcher.http.environment import TransportName
from watcher.http.errors import Answer
from watcher.http.tls import TlsContext


@dataclass(slots=True)
class Request:
    """A request, which may be sent any number of times. Its text shows nothing that may be a secret."""

    method: str
    url: str = field(repr=False)
    server: str
    """What the URL begins with: scheme, host and port."""
    headers: Mapping[str, str] = field(repr=False)
    """By name in lower case. Requests share them: ten thousand copies would take 8 MB."""
    content: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and the way to it."""

    address: str | None
    """The IP address that the name to be connected to was found to have; None where nothing is looked up."""
    proxy: httpx.URL | None
    """The proxy to go through; the address is that of the proxy then."""
    tls: TlsContext
    connect_seconds: float | None
    """For opening a connection; None when there is no other address to be tried in time."""
    size_limit: int
    """Bytes of a body, as it is sent: more than one beyond them are not read."""
    keeps_connections: bool
    url: httpx.URL
    """The URL of some request to the server."""


class Transport(Protocol):
    """Sends requests to one server, as many at a time as it is asked to."""

    async def send(self, request: Request, deadline: float) -> Answer:
        """Return the answer, with its body as it was sent: whole, or one byte more of it than the size limit.

        No redirect is followed and no cookie is kept. A task that is cancelled leaves no exchange behind: its
        connection is closed by the deadline, a time of the event loop.

        Raises:
            TimeoutError: the deadline has passed.
            NotConnectedError: no connection could be opened.
            StaleConnectionError: a kept connection had ended before it was used again.
            HttpError: anything else that is no answer.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


def load_transport(name: TransportName) -> Callable[[Target], Transport]:
    """Import a transport; return what opens it to a server. Its connections are opened when they are needed.

    What is returned raises ConfigurationError if the way to the server needs what is not installed.
    """
    if name == "pyreqwest":
        from watcher.http.pyreqwest_transport import PyreqwestTransport

        return PyreqwestTransport
    from watcher.http.httpx_transport import HttpxTransport

    return HttpxTransport
