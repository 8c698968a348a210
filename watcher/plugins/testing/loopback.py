"""The other side of a plugin: a server on loopback that answers as a test wants it to."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(frozen=True)
class Reply:
    """What the server on loopback answers."""

    status: int = 200
    body: bytes = b"ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    echoes: bool = False
    """Whether it repeats the request, headers and all, as its body."""
    breaks: bool = False
    """Whether it resets the connection instead."""


class Loopback(ThreadingHTTPServer):
    """The other side: it answers every request with `reply`, and keeps what it was sent."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, reply: Reply) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply = reply
        self.received: list[str] = []
        """Each request as text: its line, its headers and its body."""
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Loopback

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        told = f"{self.requestline}\n{self.headers}\n{body.decode('utf-8', 'replace')}"
        self.server.received.append(told)
        reply = self.server.reply
        if reply.breaks:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        content = told.encode() if reply.echoes else reply.body
        self.send_response(reply.status)
        for name, value in {"content-length": str(len(content)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = _answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_args: object) -> None:
        """Log nothing."""

    def finish(self) -> None:
        """Close, also what was reset."""
        if not self.server.reply.breaks:
            super().finish()


@contextmanager
def loopback(reply: Reply) -> Iterator[Loopback]:
    """Serve on loopback while the block runs."""
    server = Loopback(reply)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
