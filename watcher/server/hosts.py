"""Which names a request may call this host by.

A web page whose name its owner lets point at this host (DNS rebinding) can make a browser send requests here, from
inside the network, and read the answers. Such a request carries the name of the page in its `Host` header. An address
cannot be pointed elsewhere, so addresses are always allowed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from watcher.server.auth import PROBES
from watcher.server.problems import misdirected, problem_response

_LOOPBACK_NAME = "localhost"


class HostGuard:
    """Refuses requests that call this host by a name that is not its own; the probes answer anyhow."""

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        """`names` are allowed besides `localhost` and every address."""
        self._app = app
        self._names = frozenset(map(_normal, names)) | {_LOOPBACK_NAME}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in PROBES or self._is_ours(scope):
            await self._app(scope, receive, send)
            return
        await problem_response(misdirected())(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(given) != 1:
            return False
        host = _without_port(given[0])
        return _normal(host) in self._names or _is_address(host)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _normal(name: str) -> str:
    return name.lower().removesuffix(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
