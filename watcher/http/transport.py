"""What carries exchanges: the interface, and the choice between the two that implement it.

A transport belongs to one server at one address. httpx gives the vocabulary (Request, Headers, URL) to both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import httpx

from watcher.http.environment import TransportName
from watcher.http.errors import Answer
from watcher.http.tls import TlsContext


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
    seconds: float
    """For an exchange: one that was given up must not hold its connection for longer."""
    keeps_connections: bool
    url: httpx.URL
    """The URL of some request to the server."""


class Transport(Protocol):
    """Sends requests to one server, as many at a time as it is asked to."""

    async def send(self, request: httpx.Request, size_limit: int) -> Answer:
        """Return the answer, read whole: at most `size_limit` bytes of body, decompressed.

        No redirect is followed and no cookie is kept. A task that is cancelled leaves no exchange behind.

        Raises:
            NotConnectedError: no connection could be opened.
            StaleConnectionError: a kept connection had ended before it was used again.
            AnswerTooLargeError: the body is larger than allowed.
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
