"""What the environment says about the way to servers: proxies, exceptions from them, and which transport to use.

Values are never repeated in errors: a proxy's address may hold a password.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.request import getproxies

import httpx

from watcher.errors import ConfigurationError

TRANSPORT_VARIABLE = "WATCHER_HTTP_TRANSPORT"
TransportName = Literal["pyreqwest", "httpx"]
_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})

Rule = Callable[[str, int | None], bool]
"""Whether an entry of NO_PROXY holds for a host and port."""


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies that the environment names, as they stand there."""

    addresses: Mapping[str, str]
    """By scheme: `http`, `https`, `all`."""
    exceptions: tuple[Rule, ...]

    def proxy_for(self, url: httpx.URL) -> httpx.URL | None:
        """Return the proxy to be used for a URL. Raises ConfigurationError if it cannot be used."""
        scheme = url.scheme if url.scheme in self.addresses else "all"
        if scheme not in self.addresses or any(holds(url.host, url.port) for holds in self.exceptions):
            return None
        return _proxy(f"{scheme.upper()}_PROXY", self.addresses[scheme])


def read_proxies() -> Proxies:
    """Read `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case."""
    named = getproxies()
    addresses = {scheme: named[scheme] for scheme in ("http", "https", "all") if named.get(scheme)}
    entries = (entry.strip().lower() for entry in named.get("no", "").split(","))
    return Proxies(addresses, tuple(_rule(entry) for entry in entries if entry))


def choose_transport() -> TransportName:
    """Return the transport that the environment asks for, else the Rust one where it is installed.

    Raises ConfigurationError for an unknown one, or one that is not installed.
    """
    wish = os.environ.get(TRANSPORT_VARIABLE, "")
    if wish == "httpx":
        return "httpx"
    if wish not in {"", "pyreqwest"}:
        raise ConfigurationError(f"{TRANSPORT_VARIABLE} must be pyreqwest or httpx")
    if importlib.util.find_spec("pyreqwest") is not None:
        return "pyreqwest"
    if wish:
        raise ConfigurationError(f"{TRANSPORT_VARIABLE}: pyreqwest is not installed")
    return "httpx"


def _proxy(variable: str, address: str) -> httpx.URL:
    try:
        url = httpx.URL(address if "://" in address else f"http://{address}")
    except httpx.InvalidURL:
        url = httpx.URL("")
    if not url.host or "@" in f"{url.path}{url.query!r}{url.fragment}":  # a password was taken for a port
        raise ConfigurationError(
            f"{variable}: not the address of a proxy; characters such as # / ? @ in a password must be percent-encoded"
        )
    if url.scheme not in _SCHEMES:
        raise ConfigurationError(f"{variable}: a proxy must be http://, https://, socks5:// or socks5h://")
    return url.copy_with(path="/", query=None, fragment=None)


def _rule(entry: str) -> Rule:
    if entry == "*":
        return lambda _host, _port: True
    host, port = _split_port(entry)
    try:
        network = ipaddress.ip_network(host.strip("[]"), strict=False)
    except ValueError:
        name = host.removeprefix("*").removeprefix(".")
        return lambda asked, at: (asked == name or asked.endswith(f".{name}")) and port in {None, at}
    return lambda asked, at: _is_in(asked, network) and port in {None, at}


def _split_port(entry: str) -> tuple[str, int | None]:
    host, colon, port = entry.rpartition(":")
    if colon and port.isdecimal() and (":" not in host or host.endswith("]")):
        return host, int(port)
    return entry, None


def _is_in(host: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        return ipaddress.ip_address(host) in network
    except ValueError:
        return False
