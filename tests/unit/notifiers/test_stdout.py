"""The stdout notifier: its lines, and what it does without a reader."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.doubles import START, a_transition
from watcher.domain.deliveries import Delivered, Failed
from watcher.domain.jobs import JobError, JobFacts
from watcher.domain.messages import Detail, encode, line_of, message_of, message_of_test
from watcher.errors import OutputClosedError
from watcher.notifiers.stdout import NOT_READ, Config, Stdout

MESSAGE = message_of(a_transition())
LARGE = replace(MESSAGE, facts=tuple(Detail("Note", "x" * 400) for _ in range(500)))
"""More than a pipe holds."""
SOON = timedelta(seconds=0.1)
ENOUGH = timedelta(seconds=10)


class Pipe:
    """Can take the place of standard output; its other end is read, or not."""

    def __init__(self) -> None:
        self.reader, writer = os.pipe()
        self.stream = os.fdopen(writer, "w", encoding="utf-8")
        self._read = b""

    def read_line(self) -> str:
        """Read up to the end of a line, and keep what follows for the next one."""
        while b"\n" not in self._read:
            more = os.read(self.reader, 65536)
            assert more, "the pipe was closed in the middle of a line"
            self._read += more
        line, _, self._read = self._read.partition(b"\n")
        return line.decode() + "\n"


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    os.close(made.reader)
    made.stream.close()


def test_text_is_one_line_with_everything_worth_finding() -> None:
    assert line_of(MESSAGE) == (
        "2026-11-24T12:00:00Z  ✔ support-bot v3: running → succeeded  job: ftjob-abc123  "
        "model: gpt-4o-mini-2024-07-18  before: running  time in that status: 41m  "
        "fine-tuned model: ft:gpt-4o-mini-2024-07-18:my-org::AbC  trained tokens: 1,234,567  duration: 1h  "
        f"source: openai  event: {MESSAGE.id}"
    )


@pytest.mark.parametrize(
    ("changes", "beginning"),
    [
        ({"status": "failed"}, "✘ support-bot v3: running → failed  "),
        ({"status": "queued"}, "• support-bot v3: running → queued  "),
        ({"name": None}, "✔ ftjob-abc123: running → succeeded  "),
        ({"previous_status": None, "reason": "first_seen"}, "✔ support-bot v3: first seen, succeeded  "),
    ],
)
def test_the_news_come_first(changes: dict[str, str], beginning: str) -> None:
    assert line_of(message_of(a_transition(**changes))).startswith(f"2026-11-24T12:00:00Z  {beginning}")


def test_a_test_message_says_that_it_is_one() -> None:
    assert "• Test message for notifier console  note: " in line_of(message_of_test("console", START))


@pytest.mark.parametrize("part", ["name", "status", "previous_status", "message"])
def test_no_text_can_forge_a_line_or_drive_a_terminal(part: str) -> None:
    hostile = "a\x1b[2Jb\nc\rd\u2028e\u202ef\ud800" + "x" * 100_000
    facts = JobFacts(error=JobError(message=hostile))
    changes = {"status": "failed"} | ({"facts": facts} if part == "message" else {part: hostile})
    line = line_of(message_of(a_transition(**changes)))
    end_of_line = " / " if part == "message" else r"\n"  # a reason may have several lines
    assert rf"a\x1b[2Jb{end_of_line}c\rd\u2028e\u202ef\ud800xxx" in line
    assert line.isprintable()
    assert len(line) < 3000


async def test_text_is_written_as_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert await Stdout(Config()).send(MESSAGE) == Delivered()
    assert capsys.readouterr().out == line_of(MESSAGE) + "\n"


async def test_json_is_the_envelope_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert await Stdout(Config(format="json")).send(MESSAGE) == Delivered()
    out = capsys.readouterr().out
    assert out == encode(MESSAGE) + "\n"
    assert json.loads(out)["id"] == MESSAGE.id


async def test_what_the_encoding_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    await Stdout(Config()).send(MESSAGE)
    assert rb"\u2714 support-bot v3: running \u2192 succeeded" in written.getvalue()


async def test_each_line_can_be_read_at_once(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", pipe.stream)
    await Stdout(Config()).send(MESSAGE)
    assert pipe.read_line() == line_of(MESSAGE) + "\n"


async def test_a_reader_that_does_not_read_is_a_failure_and_no_line_is_lost_or_torn(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", pipe.stream)
    notifier = Stdout(Config(), SOON)
    assert await notifier.send(LARGE) == Failed(NOT_READ)
    with pytest.raises(StopIteration) as at_once:
        notifier.send(MESSAGE).send(None)
    assert at_once.value.value == Failed(NOT_READ)
    assert await asyncio.to_thread(pipe.read_line) == line_of(LARGE) + "\n"
    assert await _delivered(notifier)
    assert pipe.read_line() == line_of(MESSAGE) + "\n"


async def _delivered(notifier: Stdout) -> bool:
    """Try again, as the pipeline would, until the thread that was stuck has come to its end."""
    async with asyncio.timeout(10):
        while isinstance(await notifier.send(MESSAGE), Failed):
            await asyncio.sleep(0)
    return True


async def test_the_lines_of_two_notifiers_do_not_mix(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", pipe.stream)
    messages = [LARGE, replace(LARGE, facts=tuple(Detail("Note", "y" * 400) for _ in range(500)))]
    sends = [asyncio.create_task(Stdout(Config(), ENOUGH).send(message)) for message in messages]
    lines = await asyncio.to_thread(lambda: pipe.read_line() + pipe.read_line())
    assert sorted(lines.splitlines()) == sorted(map(line_of, messages))
    assert await asyncio.gather(*sends) == [Delivered(), Delivered()]


async def test_a_full_pipe_that_does_not_block_is_waited_for(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", pipe.stream)
    os.set_blocking(pipe.stream.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe.stream.fileno(), b"full\n" * 10)
    assert await Stdout(Config(), SOON).send(MESSAGE) == Failed(NOT_READ)
    lines = iter(pipe.read_line, line_of(MESSAGE) + "\n")
    assert await asyncio.to_thread(lambda: set(lines)) == {"full\n"}


async def test_a_reader_that_is_gone_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = Pipe()
    monkeypatch.setattr(sys, "stdout", pipe.stream)
    os.close(pipe.reader)
    with pytest.raises(OutputClosedError):
        await Stdout(Config()).send(MESSAGE)
    pipe.stream.close()


async def test_a_standard_output_that_was_never_there_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputClosedError):
        await Stdout(Config()).send(MESSAGE)


async def test_a_standard_output_that_we_closed_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stream)
    stream.close()
    with pytest.raises(OutputClosedError):
        await Stdout(Config()).send(MESSAGE)


def test_a_full_disk_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        outcome = asyncio.run(Stdout(Config()).send(MESSAGE))
    assert outcome == Failed("standard output: No space left on device")


class Disk(io.RawIOBase):
    """A disk with room for so many bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.written = b""

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def write(self, data: memoryview, /) -> int:  # type: ignore[override]
        """Write what fits."""
        if not self.room:
            raise OSError(28, "No space left on device")
        taken = bytes(data[: self.room])
        self.room -= len(taken)
        self.written += taken
        return len(taken)


async def test_a_line_that_was_cut_off_does_not_spoil_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    disk: Any = Disk(room=20)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(disk), encoding="utf-8"))
    notifier = Stdout(Config())
    assert isinstance(await notifier.send(MESSAGE), Failed)
    assert isinstance(await notifier.send(MESSAGE), Failed)
    disk.room = 100_000
    assert await notifier.send(MESSAGE) == Delivered()
    assert await notifier.send(MESSAGE) == Delivered()
    line = line_of(MESSAGE)
    assert disk.written.decode() == f"{line[:20]}\n{line}\n{line}\n"


PROGRAM = """
import asyncio
from datetime import UTC, datetime, timedelta
from watcher.domain.messages import message_of_test
from watcher.errors import OutputClosedError
from watcher.notifiers.stdout import Config, Stdout

async def main():
    notifier = Stdout(Config(), timedelta(seconds=0.2))
    message = message_of_test("console" * 50, datetime.now(UTC))
    while str(outcome := await notifier.send(message)) == "Delivered(answer='', receipt=None)":
        pass
    raise SystemExit(f"{outcome}, {await notifier.send(message)}")

try:
    asyncio.run(main())
except OutputClosedError:
    raise SystemExit(7)
"""


def test_a_reader_that_does_not_read_does_not_keep_the_program_from_ending() -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        assert process.wait(20) == 1
        assert process.stderr is not None
        assert process.stderr.read().decode() == f"{Failed(NOT_READ)}, {Failed(NOT_READ)}\n"


def test_a_closed_pipe_leaves_no_complaint_at_exit() -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(20) == 7
        assert process.stderr is not None
        assert process.stderr.read() == b""
