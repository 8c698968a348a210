"""Real processes of the watcher command: started, waited for, signalled, and what they wrote."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from signal import SIGTERM, Signals
from typing import Any

import tomli_w

LIMIT = timedelta(seconds=20)
"""How long anything may take before a test fails; a test that passes never waits so long."""
WITHOUT_PRIVILEGES = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""A command prefix that applies file permissions to root too."""

_NOT_INHERITED = (
    "WATCHER_",
    "OPENAI_",
    "SLACK_",
    "XDG_",
    "STATE_DIRECTORY",
    "NO_COLOR",
    "FORCE_COLOR",
    "PYTHONUNBUFFERED",  # a closed pipe is met in another way then
    "PYTHONDONTWRITEBYTECODE",  # compiling everything anew takes longer than all else that a command does
)


@dataclass(frozen=True)
class Finished:
    """A command that has ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of standard output."""
        return self.out.splitlines()

    @property
    def documents(self) -> list[Any]:
        """The lines of standard output, each of which must be JSON."""
        return [json.loads(line) for line in self.lines]

    @property
    def log(self) -> list[dict[str, Any]]:
        """The entries of the log, which is standard error; each line must be JSON."""
        return [json.loads(line) for line in self.err.splitlines()]

    def events(self, level: str | None = None) -> list[str]:
        """Return the events of the log lines, on request only those of one level."""
        return [entry["event"] for entry in self.log if level in {None, entry["level"]}]


class Running:
    """A command that runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._written = {"out": bytearray(), "err": bytearray()}
        self._news = asyncio.Condition()
        streams = {"out": process.stdout, "err": process.stderr}
        self._reading = [asyncio.create_task(self._read(name, stream)) for name, stream in streams.items() if stream]

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.returncode is None

    @property
    def out(self) -> str:
        """What it has written to standard output so far."""
        return self._written["out"].decode()

    @property
    def err(self) -> str:
        """What it has written to standard error so far."""
        return self._written["err"].decode()

    def signal(self, number: Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def until(self, condition: Callable[[], object], what: str, within: timedelta = LIMIT) -> None:
        """Wait until a condition on its output holds. Fails after the time."""
        try:
            async with asyncio.timeout(within.total_seconds()), self._news:
                await self._news.wait_for(condition)
        except TimeoutError:
            raise AssertionError(f"no {what}; it wrote\n{self.out}\n{self.err}") from None

    async def until_logged(self, event: str, **facts: object) -> Mapping[str, Any]:
        """Wait for a line of the log with these facts, and return it."""
        found: list[Mapping[str, Any]] = []

        def is_there() -> bool:
            found[:] = [entry for entry in self._log() if entry["event"] == event and facts.items() <= entry.items()]
            return bool(found)

        await self.until(is_there, f"log line {event!r} with {facts}")
        return found[0]

    async def until_written(self, count: int = 1) -> list[str]:
        """Wait until so many lines are on standard output, and return all lines."""
        await self.until(lambda: self.out.count("\n") >= count, f"{count} lines on standard output")
        return self.out.splitlines()

    async def ended(self, within: timedelta = LIMIT) -> Finished:
        """Wait for its end."""
        try:
            async with asyncio.timeout(within.total_seconds()):
                code = await self._process.wait()
                await asyncio.gather(*self._reading)
        except TimeoutError:
            raise AssertionError(f"it did not end within {within}; it wrote\n{self.out}\n{self.err}") from None
        return Finished(code, self.out, self.err)

    async def stop(self, number: Signals = SIGTERM, within: timedelta = LIMIT) -> Finished:
        """Send it a signal, and wait for its end."""
        self.signal(number)
        return await self.ended(within)

    async def discard(self) -> None:
        """Kill it, if it still runs: for tests that have failed."""
        if self._process.returncode is None:
            self._process.kill()
        await self.ended()

    def _log(self) -> list[dict[str, Any]]:
        whole_lines = self.err[: self.err.rfind("\n") + 1].splitlines()
        return [json.loads(line) for line in whole_lines if line.startswith("{")]

    async def _read(self, name: str, stream: asyncio.StreamReader) -> None:
        while piece := await stream.read(65536):
            async with self._news:
                self._written[name] += piece
                self._news.notify_all()


class Command:
    """The watcher command, with its own home directory and without the settings of the person who runs the tests."""

    def __init__(self, home: Path, bytecode: Path) -> None:
        """`bytecode` is the directory of compiled modules that all commands share."""
        self.home = home
        self._bytecode = bytecode
        self.database = home / "state" / "watcher.db"
        """The database in the configurations of the tests."""
        self.config = home / "config" / "watcher.toml"
        """The configuration file in the default place."""
        self.event_loop = "asyncio"
        """The one that most people have."""
        self.transcripts: list[str] = []
        """Everything that any command wrote."""

    def configure(self, settings: Mapping[str, Any]) -> Path:
        """Write the configuration."""
        self.config.parent.mkdir(exist_ok=True)
        self.config.write_text(tomli_w.dumps(settings), encoding="utf-8")
        return self.config

    async def run(self, *arguments: object, within: timedelta = LIMIT, **options: Any) -> Finished:
        """Run the command to its end."""
        async with self.start(*arguments, **options) as running:
            return await running.ended(within)

    @asynccontextmanager
    async def start(
        self,
        *arguments: object,
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        stdin: int = DEVNULL,
        stdout: int = PIPE,
    ) -> AsyncIterator[Running]:
        """Start the command, and kill it at the end if it still runs."""
        process = await asyncio.create_subprocess_exec(
            *prefix,
            sys.executable,
            "-m",
            "watcher",
            *map(str, arguments),
            stdin=stdin,
            stdout=stdout,
            stderr=PIPE,
            cwd=self.home,
            env=self._environment() | dict(env or {}),
        )
        running = Running(process)
        try:
            yield running
        finally:
            await running.discard()
            self.transcripts.append(f"{arguments}\n{running.out}\n{running.err}")

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_INHERITED)}
        usual = {"COLUMNS": "200", "WATCHER_EVENT_LOOP": self.event_loop}
        return kept | usual | {"HOME": str(self.home), "PYTHONPYCACHEPREFIX": str(self._bytecode)}
