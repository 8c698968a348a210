"""A real PgBouncer in front of a PostgreSQL server, in transaction mode."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

REQUIRED = "WATCHER_REQUIRE_SYSTEM_TESTS"
"""When this variable is set, a test that cannot be run has failed."""
ACCOUNT = "pgserver"
"""Who runs the server when we are root, and so PgBouncer too, which refuses to run as root."""
_SETTINGS = """\
[databases]
* = host={directory} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
server_reset_query = DISCARD ALL
"""


def pgbouncer() -> str:
    """Return the path of the program; skip the test where it is not installed, unless it is required."""
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        (pytest.fail if os.environ.get(REQUIRED) else pytest.skip)("pgbouncer is not installed")
    return str(found)


@contextmanager
def pooled(url: str) -> Iterator[str]:
    """Put PgBouncer in front of the database; give the URL that leads through it."""
    program, parts = pgbouncer(), urlsplit(url)
    (directory,) = parse_qs(parts.query)["host"]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    home = Path(tempfile.mkdtemp(prefix="watcher-"))
    settings = home / "pgbouncer.ini"
    settings.write_text(_SETTINGS.format(directory=directory, port=port))
    user = ACCOUNT if os.geteuid() == 0 else None
    for path in (home, settings):
        path.chmod(0o755)
    log = (home / "log").open("w+b")
    process = subprocess.Popen([program, str(settings)], stdout=log, stderr=log, user=user)
    try:
        _wait_for(port, process, log.name)
        yield f"postgresql://postgres@127.0.0.1:{port}{parts.path}"
    finally:
        process.terminate()
        process.wait(10)
        log.close()
        shutil.rmtree(home)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: str) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            said = Path(log).read_text(errors="replace")
            assert process.poll() is None, f"pgbouncer ended: {said}"
            assert time.monotonic() < deadline, f"pgbouncer does not listen: {said}"
            time.sleep(0.02)
        else:
            return
