"""Starting what is measured, each in a process of its own, and measuring it from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

LATENCY_SECONDS = 0.1
PATIENCE_SECONDS = 120

_CACHE = TemporaryDirectory(prefix="bytecode-")
CLEAN_ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("WATCHER_", "OPENAI_")) and name != "PYTHONDONTWRITEBYTECODE"
} | {"OPENAI_API_KEY": "sk-benchmark", "PYTHONPATH": str(Path.cwd()), "PYTHONPYCACHEPREFIX": _CACHE.name}
"""Bytecode is kept, as it is of what is installed: to compile all modules takes longer than all else at a start."""


@dataclass(frozen=True)
class Tally:
    """What the API was asked and told since it was last asked for its tally."""

    retrieved: int
    pages: int
    seen: int
    """Different jobs that were ever retrieved."""
    longest_gap: float
    """Seconds between two retrieves of a job, at most."""
    delays: Sequence[float]
    """Seconds from the answer that told of a change to the event that did."""
    untold: int
    """Changes that no event has told of yet."""
    counted: Sequence[float]
    """When messages came that are only counted, by a steady clock."""


class SourceClient:
    """The cheap API, from outside."""

    def __init__(self, port: str) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.address}/v1"

    def tally(self) -> Tally:
        """Ask what happened since the last time."""
        with urllib.request.urlopen(f"{self.address}/tally") as response:
            return Tally(**json.loads(response.read()))


@contextmanager
def api(*options: str) -> Iterator[SourceClient]:
    """Run the cheap API in a process of its own, with the options that `server` knows."""
    command = [sys.executable, "-m", "tests.benchmarks.server", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield SourceClient(server.stdout.readline().strip())
        finally:
            server.kill()


@contextmanager
def process(
    command: Sequence[str], environment: Mapping[str, str] | None = None, directory: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command, and end it."""
    environment = {**CLEAN_ENVIRONMENT, **(environment or {})}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment, cwd=directory) as running:
        try:
            yield running
        finally:
            running.kill()


@dataclass(frozen=True)
class Setup:
    """What `watcher run` is told to do."""

    jobs: int
    interval: str
    strategy: str = "retrieve"
    notifiers: str = ""
    """Further sections of the configuration."""
    core: int | None = None
    """The one core that the process is kept to."""
    event_loop: str = "asyncio"
    """uvloop is an extra, which most do not install."""
    sources: int = 1
    """At how many sources the jobs are: each has at most 128 requests in flight."""

    def text(self, directory: str, base_url: str) -> str:
        """Return the configuration."""
        names = ["openai", *(f"openai-{number}" for number in range(1, self.sources))]
        return (
            f'[store]\nurl = "sqlite:///{directory}/watcher.db"\n[log]\nlevel = "warning"\n'
            f'[polling]\ninterval = "{self.interval}"\ncadence = "fixed"\n'
            + "".join(
                f'[sources.{name}]\nkind = "openai"\nbase_url = "{base_url}"\nstrategy = "{self.strategy}"\n'
                f'api_key = "sk-benchmark"\nprogress = false\n'
                for name in names
            )
            + self.notifiers
            + "".join(
                f'[[jobs]]\nid = "ftjob-{number}"\nsource = "{names[number % self.sources]}"\n'
                for number in range(self.jobs)
            )
        )


@contextmanager
def watcher(setup: Setup, base_url: str, store: str | None = None) -> Iterator[int]:
    """Run `watcher run` on a new store, or on that of a directory; yield the process's id."""
    with nullcontext(store) if store else TemporaryDirectory() as directory:
        config = Path(directory) / "watcher.toml"
        config.write_text(setup.text(directory, base_url))
        command = [*pinned(setup.core), sys.executable, "-m", "watcher", "run", "--config", str(config)]
        with process(command, {"WATCHER_EVENT_LOOP": setup.event_loop}) as running:
            yield running.pid


def pinned(core: int | None) -> list[str]:
    """Return the beginning of a command that keeps a process to a core."""
    return [] if core is None else ["taskset", "-c", str(core)]


def until(has_come: Callable[[], bool], what: str) -> None:
    """Wait for something to come about."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not has_come():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE_SECONDS} s in vain for {what}")
        time.sleep(0.02)


def cpu_seconds(pid: int) -> float:
    """Return the processor time that the threads of a process have used."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def resident_megabytes(pid: int) -> float:
    """Return the memory that a process occupies."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) / 1024
