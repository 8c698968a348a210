"""The server: where it listens, who may reach it there, and how it starts and stops."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from watcher.engine.ports import Log
from watcher.errors import ConfigurationError

LISTEN_RULE = "http.listen: expected HOST:PORT such as 127.0.0.1:8321 or [::1]:8321, or unix:/absolute/path"
UNIX_PREFIX = "unix:"
SOCKET_MODE = 0o660
STOP_SECONDS = 3
"""How long answers under way may go on after the end."""
AT_ONCE = 128
"""Connections and requests; more are refused, so that nobody can use up the files that polling needs."""
BACKLOG = 128


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


@asynccontextmanager
async def serving(app: ASGIApp, listen: Listen, log: Log) -> AsyncIterator[Listen]:
    """Serve the application; yields where, with the port that was chosen. Raises ConfigurationError."""
    with _listening(listen) as sockets:
        server = _Server(_config(app))
        running = asyncio.create_task(server.serve(sockets=sockets))
        try:
            await _started(server, running)
            bound = listen if listen.path else Listen(listen.host, sockets[0].getsockname()[1])
            log.info("serving HTTP", listen=str(bound))
            yield bound
        finally:
            server.should_exit = True
            # uvicorn keeps to the same bound, and needs a moment more to close what it then gives up.
            await asyncio.wait([running], timeout=STOP_SECONDS + 1)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


class _Server(uvicorn.Server):
    """A server without an eye on signals: the service owns them."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=logging.ERROR,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=AT_ONCE,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


async def _started(server: uvicorn.Server, running: asyncio.Task[None]) -> None:
    while not server.started:
        if running.done():
            await running
            raise AssertionError("a server that was not told to stop goes on")
        await asyncio.sleep(0.005)


@contextmanager
def _listening(listen: Listen) -> Iterator[list[socket.socket]]:
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
    opened = socket.socket(family, socket.SOCK_STREAM)
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
            path.chmod(SOCKET_MODE)  # nobody can connect before `listen`
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
    """Remove what a server that died has left; nothing else. Raises OSError when somebody listens."""
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
