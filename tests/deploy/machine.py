"""A Debian that boots with systemd, for the tests of the service: made by mmdebstrap, run by systemd-nspawn."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SUITE = "bookworm"
"""The oldest Debian that the service is for: systemd 252 and Python 3.11."""
PACKAGES = ("systemd", "dbus", "python3", "python3-venv", "ca-certificates", "procps")
_LEFT_OUT = ("doc", "man", "locale", "info")
"""Directories of /usr/share that the tests do not need."""
TOOLS = ("mmdebstrap", "systemd-nspawn", "nsenter", "uv")

REPOSITORY = Path(__file__).parents[2]
WHEELS = "/srv/wheels"
DEPLOY = "/srv/deploy"
SERVICE = "finetune-watcher.service"
USER = "finetune-watcher"
WATCHER = "/opt/finetune-watcher/current/bin/watcher"
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS}
"""The variables that make pip install from the local wheels."""
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LANG": "C.UTF-8"}

Entry = dict[str, Any]
"""An entry of the journal: its fields."""


class UnavailableError(Exception):
    """This machine cannot run the test; the text says why."""


def missing_requirement() -> str | None:
    """Return why this machine cannot boot a machine; None if it can."""
    if os.geteuid() != 0:
        return "only root can boot a container"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def debian_archive(directory: Path) -> Path:
    """Return a tar file of the root directory of a small Debian; it is made once, and kept. Raises UnavailableError."""
    archive = directory / f"debian-{SUITE}-{'-'.join(PACKAGES)}-without-{'-'.join(_LEFT_OUT)}.tar"
    if not archive.exists():
        directory.mkdir(parents=True, exist_ok=True)
        for old in directory.glob("debian-*.tar"):  # of another choice
            old.unlink()
        partial = archive.with_suffix(f".{os.getpid()}.partial")
        try:
            _make(
                "mmdebstrap", "--quiet", "--format=tar", "--variant=minbase", f"--include={','.join(PACKAGES)}",
                *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT), SUITE, str(partial),
            )  # fmt: skip
            partial.rename(archive)
        finally:
            partial.unlink(missing_ok=True)
    return archive


def build_wheels(directory: Path) -> Path:
    """Build the watcher's wheel, download those it needs; return the watcher's. Raises UnavailableError."""
    _make("uv", "build", "--quiet", "--wheel", "--out-dir", str(directory), str(REPOSITORY))
    locked = directory / "requirements.txt"
    _make(
        "uv", "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project", "--output-file", str(locked),
    )  # fmt: skip
    _make(
        "uv", "run", "--quiet", "--no-project", "--with", "pip", "python", "-m", "pip", "download", "--quiet",
        "--only-binary=:all:", "--python-version=3.11", f"--dest={directory}", f"--requirement={locked}",
    )  # fmt: skip
    return next(directory.glob("finetune_watcher-*.whl"))


def unpack(archive: Path, root: Path, wheels: Path) -> None:
    """Make a root directory out of an archive, with wheels in it."""
    root.mkdir()
    _make("tar", "--extract", f"--file={archive}", f"--directory={root}")
    shutil.copytree(wheels, root / WHEELS.lstrip("/"))


class Machine:
    """A machine that has booted. It has no network but loopback."""

    def __init__(self, leader: int) -> None:
        self._leader = leader

    def run(
        self, *command: str, check: bool = True, stdin: str = "", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root and capture its output. Raises AssertionError if it fails, unless `check` is False."""
        done = subprocess.run(
            ["nsenter", "--target", str(self._leader), "--all", "--", *command],
            env=_ENVIRONMENT | (env or {}), input=stdin, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def run_as_user(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command as the service's user, as `sudo -u` does."""
        return self.run("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command, check=check)

    def write(self, path: str, text: str) -> None:
        """Write a file, and make its directory."""
        self.run("mkdir", "-p", str(Path(path).parent))
        self.run("sh", "-c", f"cat >'{path}'", stdin=text)

    def show(self, name: str, unit: str = SERVICE) -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", "--value", f"--property={name}", unit).stdout.strip()

    def journal(self, *matches: str) -> list[Entry]:
        """Return the entries of the journal that match, the oldest first."""
        self.run("journalctl", "--quiet", "--sync")
        lines = self.run("journalctl", "--quiet", "--all", "--output=json", *matches).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def wait_until(self, condition: Callable[[], object], within: float = 20) -> None:
        """Wait until the condition holds. After `within` seconds, fail with the end of the journal."""
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                log = self.run("journalctl", "--no-pager", "--lines=40", check=False).stdout
                raise AssertionError(f"not within {within} s; the journal ends with\n{log}")
            time.sleep(0.1)


@contextmanager
def boot(root: Path) -> Iterator[Machine]:
    """Boot a root directory. Raises UnavailableError if it does not start."""
    console = root.with_suffix(".console")
    with console.open("wb") as output:
        container = subprocess.Popen(
            [
                "systemd-nspawn", "--boot", "--register=no", "--keep-unit", "--private-network", "--console=read-only",
                "--machine=watchertest", f"--directory={root}", f"--bind-ro={REPOSITORY / 'deploy'}:{DEPLOY}",
            ],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield _booted(container, console)
    finally:
        container.terminate()  # nspawn passes it on as a request to power off
        try:
            container.wait(30)
        except subprocess.TimeoutExpired:
            for leader in _children(container.pid):
                os.kill(leader, 9)
            container.kill()
            container.wait()


def _booted(container: subprocess.Popen[bytes], console: Path) -> Machine:
    deadline = time.monotonic() + 60
    while container.poll() is None and time.monotonic() < deadline:
        for leader in _children(container.pid):
            machine = Machine(leader)
            state = machine.run("systemctl", "is-system-running", check=False).stdout.strip()
            if state in {"running", "degraded"}:
                return machine
        time.sleep(0.2)
    raise UnavailableError(f"systemd-nspawn does not boot here: {console.read_text(errors='replace')[-500:]}")


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _make(*command: str) -> None:
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise UnavailableError(f"{command[0]} failed: {done.stderr.strip()[-500:]}")
