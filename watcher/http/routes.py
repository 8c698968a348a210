"""The ways from one client to the servers that it asks: whether by a proxy, to which address, and if not that, which.

Each server has transports of its own, one for each of its addresses in use, usually one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import httpx

from watcher.errors import ConfigurationError
from watcher.http.environment import choose_transport, read_proxies
from watcher.http.errors import Answer, CertificateFormError, NotConnectedError
from watcher.http.name_lookup import Lookup
from watcher.http.tls import TlsContext
from watcher.http.transport import Request, Target, Transport, load_transport

Opens = Callable[[Target], Transport]
_Way = tuple[Opens, str | None]


@dataclass(frozen=True, slots=True)
class Ways:
    """What all the ways of a client have in common."""

    tls: TlsContext
    seconds: float
    """For an exchange."""
    size_limit: int
    """Bytes of a body, as it is sent."""
    keeps_connections: bool


class Routes:
    """Sends requests to any server."""

    def __init__(self, ways: Ways) -> None:
        """Read the environment. Raises ConfigurationError for a transport that cannot be had."""
        self._ways = ways
        self._proxies = read_proxies()
        name = choose_transport()
        # Imports and certificates now, rather than within the time of the first exchange.
        self._open = load_transport(name)
        if name == "httpx":
            ways.tls.with_roots()
        self._lookup = Lookup()
        self._routes: dict[str, Route] = {}

    def route(self, server: str) -> Route:
        """Return the way to the server that URLs begin with. Raises ConfigurationError if its proxy cannot be used."""
        if server not in self._routes:
            url = httpx.URL(server)
            self._routes[server] = Route(url, self._proxies.proxy_for(url), self._ways, self._lookup, self._open)
        return self._routes[server]

    async def close(self) -> None:
        """Close every connection."""
        for route in self._routes.values():
            await route.close()


class Route:
    """The way to one server."""

    def __init__(self, url: httpx.URL, proxy: httpx.URL | None, ways: Ways, lookup: Lookup, opens: Opens) -> None:
        """Raises ConfigurationError if the proxy cannot be used."""
        self._url, self._proxy, self._ways, self._lookup, self._opens = url, proxy, ways, lookup, opens
        host = (proxy or url).raw_host.decode()
        self._host = None if _is_address(host) else host
        """The name to be looked up; None for one that is an address."""
        self._used: dict[_Way, _Used] = {}
        """The transports, by what opened them and by address."""
        if proxy is not None:
            self._open(None, 1)  # says whether the proxy can be used at all

    async def send(self, request: Request, deadline: float) -> Answer:
        """Return the answer from the first address that can be connected to. Raises HttpError, or TimeoutError."""
        if self._host is None:
            return await self._send(request, deadline, None, 1)
        addresses = await self._lookup.addresses(self._host, deadline)
        error = NotConnectedError("cannot connect: no address")
        for address in addresses:
            try:
                answer = await self._send(request, deadline, address, len(addresses))
            except NotConnectedError as failure:
                error = failure
            else:
                self._lookup.worked(self._host, address)
                return answer
        self._lookup.failed(self._host)
        try:
            raise error
        finally:
            del error  # else the error would refer to this frame, and the frame to the error

    async def close(self) -> None:
        """Close every connection."""
        for used in self._used.values():
            await used.transport.close()
        self._used.clear()

    async def _send(self, request: Request, deadline: float, address: str | None, of: int) -> Answer:
        used = self._used.get((self._opens, address)) or self._open(address, of)
        used.in_flight += 1
        try:
            return await used.transport.send(request, deadline)
        except CertificateFormError as error:
            self._have_openssl_judge(error, address, of)
        finally:
            used.in_flight -= 1
            if len(self._used) > 1:
                await self._close_unused(address)
        return await self._send(request, deadline, address, of)

    def _have_openssl_judge(self, refusal: CertificateFormError, address: str | None, of: int) -> None:
        """Use httpx for this server from now on. Raises the refusal if its proxy cannot be used with that."""
        before, self._opens = self._opens, load_transport("httpx")
        try:
            self._open(address, of)
        except ConfigurationError:
            self._opens = before
            raise refusal from None

    def _open(self, address: str | None, of: int) -> _Used:
        target = Target(
            address=address,
            proxy=self._proxy,
            tls=self._ways.tls,
            connect_seconds=self._ways.seconds / of if of > 1 else None,
            size_limit=self._ways.size_limit,
            keeps_connections=self._ways.keeps_connections,
            url=self._url,
        )
        return self._used.setdefault((self._opens, address), _Used(self._opens(target)))

    async def _close_unused(self, address: str | None) -> None:
        """Close what is used no more: for addresses that the name no longer has, or that do not answer."""
        latest = self._opens, address
        for way in [each for each, used in self._used.items() if each != latest and not used.in_flight]:
            await self._used.pop(way).transport.close()


@dataclass(slots=True)
class _Used:
    transport: Transport
    in_flight: int = 0


def _is_address(host: str) -> bool:
    with suppress(ValueError):
        return bool(ipaddress.ip_address(host))
    return False
