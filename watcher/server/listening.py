"""Where the server listens: the address or the socket file, its permissions, and the open sockets."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from watcher.errors import ConfigurationError

LISTEN_RULE = "http.listen: expected HOST:PORT such as 127.0.0.1:8321 or [::1]:8321, or unix:/absolute/path"
UNIX_PREFIX = "unix:"
SOCKET_MODE = 0o660
BACKLOG = 16
"""Connections that wait to be accepted. So many may be accepted at once, before any of them is judged."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen: at a host and a port, or at the path of a socket file."""

    host: str = ""
    port: int = 0
    """0 lets the system choose one."""
    path: Path | None = None

    @property
    def is_private(self) -> bool:
        """Whether only this machine can connect."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        """Return it as it is written in the settings."""
        if self.path:
            return f"{UNIX_PREFIX}{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(text: str) -> Listen:
    """Read where to listen. Raises ConfigurationError."""
    if text.startswith(UNIX_PREFIX):
        path = Path(text.removeprefix(UNIX_PREFIX))
        if not path.is_absolute() or "\0" in text:
            raise ConfigurationError(LISTEN_RULE)
        return Listen(path=path)
    host, colon, port = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if is_bracketed else host
    is_host = host.isascii() and host.isprintable() and " " not in host and is_bracketed == (":" in host)
    is_port = port.isascii() and port.isdecimal() and len(port) <= len("65535") and int(port) <= 0xFFFF  # noqa: PLR2004
    if not (colon and host and is_host and is_port):
        raise ConfigurationError(LISTEN_RULE)
    return Listen(host, int(port))


def check_exposure(listen: Listen, *, has_token: bool) -> None:
    """Refuse to be reachable for others without a token. Raises ConfigurationError."""
    if not listen.is_private and not has_token:
        raise ConfigurationError(
            f"http.listen: {listen} can be reached from elsewhere, so http.token is needed (or http.token_file); "
            "without one, listen on 127.0.0.1, [::1] or unix:/path"
        )


@contextmanager
def listening(listen: Listen) -> Iterator[list[socket.socket]]:
    """Listen; closes the sockets at the end. Raises ConfigurationError."""
    if listen.path:
        with _socket_file(listen.path) as opened:
            yield [opened]
        return
    sockets: list[socket.socket] = []
    try:
        sockets += _tcp_sockets(listen)
        yield sockets
    finally:
        for opened in sockets:
            opened.close()


def _tcp_sockets(listen: Listen) -> list[socket.socket]:
    """Listen at every address that the host has; some may not be there, such as that of IPv6."""
    try:
        found = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ConfigurationError(f"http.listen: there is no address of {listen.host}") from None
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    for family, address in dict.fromkeys((info[0], info[4]) for info in found):
        try:
            sockets.append(_bound(family, address))
        except OSError as error:
            if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                for opened in sockets:
                    opened.close()
                raise _cannot_listen(str(listen), error) from None
            failure = error
    if not sockets and failure:
        raise _cannot_listen(str(listen), failure)
    return sockets


def _bound(family: int, address: object) -> socket.socket:
    # Named, the protocol lets asyncio send at once: else each answer waits 40 ms for the other side's acknowledgement.
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)  # type: ignore[arg-type]
        opened.listen(BACKLOG)
    except OSError:
        opened.close()
        raise
    return opened


@contextmanager
def _socket_file(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as opened:
        try:
            _remove_stale(path)
            opened.bind(str(path))
            own = path.stat().st_ino
            path.chmod(SOCKET_MODE)  # no client can connect before `listen`
            opened.listen(BACKLOG)
        except (OSError, ValueError) as error:
            raise _cannot_listen(f"{UNIX_PREFIX}{path}", error) from None
        try:
            yield opened
        finally:
            with suppress(OSError):
                if path.stat().st_ino == own:
                    path.unlink()


def _remove_stale(path: Path) -> None:
    """Remove only what a dead server has left. Raises OSError when a server listens."""
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _cannot_listen(where: str, error: Exception) -> ConfigurationError:
    words = (error.strerror if isinstance(error, OSError) else None) or str(error)
    hints = {
        errno.EADDRINUSE: "; another program listens there, perhaps another watcher",
        errno.EEXIST: "; it is no socket, so it is left alone",
        errno.EACCES: "; ports below 1024, and directories of others, need rights that this program does not have",
    }
    hint = hints.get(error.errno or 0, "") if isinstance(error, OSError) else ""
    return ConfigurationError(f"http.listen: cannot listen at {where}: {words.lower()}{hint}")
