"""Runs every benchmark, interleaved, and prints medians and ratios; figures of one run compare, others do not."""

from __future__ import annotations

import os
import platform
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROUNDS = int(os.environ.get("BENCHMARK_ROUNDS", "5"))
AT_ONCE = 32
LATENCY_SECONDS = 0.1
MEASURED_SECONDS = 6.0
WARM_UP_SECONDS = 3.0
MANY_JOBS = 10_000

CLEAN_ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith(("WATCHER_", "OPENAI_"))
} | {"OPENAI_API_KEY": "sk-benchmark"}


def main() -> None:
    """Print the table."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    sys.stdout.write(f"# {machine}, {time.strftime('%Y-%m-%d')}\n")
    cpu = interleaved({"watcher run": cpu_of_run, "bare httpx loop": cpu_of_httpx, "openai SDK loop": cpu_of_sdk})
    report("CPU per poll, 32 in flight (us)", cpu, "watcher run")
    start = interleaved({"watcher watch --json": start_of_watch, "openai SDK, three lines": start_of_sdk})
    report("process start to first request (ms)", start, "watcher watch --json")
    ready, memory = many_jobs()
    sys.stdout.write(f"\n## {MANY_JOBS:,} watched jobs\nfirst poll after {ready:.1f} s, resident {memory:.0f} MB\n")


def interleaved(measures: Mapping[str, object]) -> dict[str, list[float]]:
    """Take the measures in turn, so that a machine that drifts drifts for all of them."""
    figures: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(ROUNDS):
        for name, measure in measures.items():
            figures[name].append(measure())  # type: ignore[operator]
    return figures


def report(title: str, figures: Mapping[str, Sequence[float]], ours: str) -> None:
    """Print medians, ranges, and how ours compares."""
    sys.stdout.write(f"\n## {title}\n")
    base = statistics.median(figures[ours])
    for name, values in figures.items():
        middle = statistics.median(values)
        ratio = "" if name == ours else f"   ours is {base / middle:.2f} x of this"
        sys.stdout.write(f"{name:<26}{middle:8.0f}  ({min(values):.0f} to {max(values):.0f}){ratio}\n")
    sys.stdout.flush()


def cpu_of_run() -> float:
    """Let `watcher run` poll 320 jobs a second: with 100 ms latency, 32 are in flight."""
    with api() as base_url, TemporaryDirectory() as directory:
        config = write_config(Path(directory), base_url, jobs=320, interval="1s")
        return cpu_per_poll([sys.executable, "-m", "watcher", "run", "--config", str(config)], base_url)


def cpu_of_httpx() -> float:
    """Let the bare loop poll, 32 at once."""
    with api() as base_url:
        return cpu_per_poll([sys.executable, "-m", "tests.benchmarks.loops", "httpx", base_url, str(AT_ONCE)], base_url)


def cpu_of_sdk() -> float:
    """Let the SDK poll, 32 at once."""
    with api() as base_url:
        return cpu_per_poll([sys.executable, "-m", "tests.benchmarks.loops", "sdk", base_url, str(AT_ONCE)], base_url)


def cpu_per_poll(command: Sequence[str], base_url: str) -> float:
    """Return microseconds of CPU per poll, after a warm-up."""
    with process(command) as running:
        deadline = time.monotonic() + 30
        while not count(base_url) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(WARM_UP_SECONDS)
        polls, cpu = count(base_url), cpu_seconds(running.pid)
        time.sleep(MEASURED_SECONDS)
        return (cpu_seconds(running.pid) - cpu) / (count(base_url) - polls) * 1e6


def start_of_watch() -> float:
    """Return milliseconds until `watcher watch --json` sends its first request."""
    return start([sys.executable, "-m", "watcher", "watch", "ftjob-1", "--json"])


def start_of_sdk() -> float:
    """Return milliseconds until the SDK sends its first request."""
    script = "import openai\nclient = openai.OpenAI()\nprint(client.fine_tuning.jobs.retrieve('ftjob-1').status)"
    return start([sys.executable, "-c", script])


def start(command: Sequence[str]) -> float:
    """Return milliseconds from the start of a process to the first byte of its request."""
    with socket.create_server(("127.0.0.1", 0)) as server, TemporaryDirectory() as directory:
        environment = CLEAN_ENVIRONMENT | {"OPENAI_BASE_URL": f"http://127.0.0.1:{server.getsockname()[1]}/v1"}
        environment["PYTHONPATH"] = str(Path.cwd())
        begin = time.perf_counter()
        with process(command, environment, directory):
            connection, _ = server.accept()
            with connection:
                connection.recv(1)
                return (time.perf_counter() - begin) * 1000


def many_jobs() -> tuple[float, float]:
    """Return seconds to the first poll, and megabytes resident once every job was polled."""
    with api() as base_url, TemporaryDirectory() as directory:
        config = write_config(Path(directory), base_url, MANY_JOBS, interval="30s")
        begin = time.monotonic()
        with process([sys.executable, "-m", "watcher", "run", "--config", str(config)]) as running:
            while not count(base_url):
                time.sleep(0.05)
            ready = time.monotonic() - begin
            while count(base_url) < MANY_JOBS and time.monotonic() < begin + 90:
                time.sleep(0.5)
            time.sleep(5)
            status = Path(f"/proc/{running.pid}/status").read_text()
            resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
            return ready, int(resident.split()[1]) / 1024


def write_config(directory: Path, base_url: str, jobs: int, interval: str) -> Path:
    """Write a configuration for so many jobs, with no notifier."""
    text = f'[sources.openai]\nbase_url = "{base_url}"\n[polling]\ninterval = "{interval}"\n'
    text += f'[store]\nurl = "sqlite:///{directory}/watcher.db"\n[log]\nlevel = "warning"\n'
    text += "".join(f'[[jobs]]\nid = "ftjob-{number}"\n' for number in range(jobs))
    path = directory / "watcher.toml"
    path.write_text(text)
    return path


@contextmanager
def api() -> Iterator[str]:
    """Run the cheap API in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.server", str(LATENCY_SECONDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        finally:
            server.kill()


@contextmanager
def process(
    command: Sequence[str], environment: Mapping[str, str] | None = None, directory: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command, and end it."""
    environment = environment or CLEAN_ENVIRONMENT
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment, cwd=directory) as running:
        try:
            yield running
        finally:
            running.kill()


def count(base_url: str) -> int:
    """Return how many jobs the API was asked for."""
    with urllib.request.urlopen(f"{base_url}/count") as response:
        return int(response.read())


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
