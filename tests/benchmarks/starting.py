"""From the start of a process to its first request."""

from __future__ import annotations

import socket
import statistics
import sys
import time
from collections.abc import Sequence
from functools import partial
from tempfile import TemporaryDirectory

from tests.benchmarks.polling import interleaved
from tests.benchmarks.processes import process
from tests.benchmarks.results import Table, Target, spread, verdict

REPEATS = 3
"""Starts in a round: one is over quickly, and varies much."""
OURS = "`watcher watch ftjob-1 --json`"
COMMANDS = {
    OURS: ("-m", "watcher", "watch", "ftjob-1", "--json"),
    "openai SDK, in three lines": (
        "-c",
        "import openai\nclient = openai.OpenAI()\nprint(client.fine_tuning.jobs.retrieve('ftjob-1').status)",
    ),
    "httpx, in two lines": (
        "-c",
        "import httpx, os\nhttpx.get(os.environ['OPENAI_BASE_URL'] + '/fine_tuning/jobs/ftjob-1').json()",
    ),
}
TARGETS = {"openai SDK, in three lines": Target(0.15), "httpx, in two lines": Target(1)}


def table(rounds: int) -> Table:
    """Measure the time to the first request."""
    measures = {name: partial(milliseconds, [sys.executable, *rest]) for name, rest in COMMANDS.items()}
    interleaved(measures, 1)  # writes the bytecode
    figures = interleaved(measures, rounds * REPEATS)
    ours = statistics.median(figures[OURS])
    rows = []
    for name, times in figures.items():
        ratio = ours / statistics.median(times)
        judged = TARGETS[name].judged(ratio) if name in TARGETS else ("", "")
        rows.append([name, spread(times), "" if name == OURS else f"{ratio:.2f}", *judged])
    verdicts = [
        verdict(f"`watch` to its first request, of {name}", [ours / statistics.median(figures[name])], target, 2)
        for name, target in TARGETS.items()
    ]
    header = ("", "ms", "ours is … x of it", "target", "met")
    return Table("From process start to the first request", header, rows, verdicts=verdicts)


def milliseconds(command: Sequence[str]) -> float:
    """Return the time from the start of a process to the first byte of its request."""
    with socket.create_server(("127.0.0.1", 0)) as server, TemporaryDirectory() as directory:
        environment = {"OPENAI_BASE_URL": f"http://127.0.0.1:{server.getsockname()[1]}/v1"}
        begin = time.perf_counter()
        with process(command, environment, directory):
            connection, _ = server.accept()
            with connection:
                connection.recv(1)
                return (time.perf_counter() - begin) * 1000
