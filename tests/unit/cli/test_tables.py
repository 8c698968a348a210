"""Tables on terminals of any width: ids, statuses and headings are whole, other columns may be left out."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from watcher.cli.tables import Column, write_table
from watcher.cli.text_width import width_of

COLUMNS: Sequence[Column | str] = [
    "source",
    "id",
    Column("name", is_text=True),
    "status",
    "next_poll",
    Column("trouble", is_text=True),
]
IMPORTANT = ["id", "status", "trouble", "name"]
ROWS: Sequence[Mapping[str, object]] = [
    {
        "source": "openai",
        "id": "ftjob-abcdefghijklmnopqrstuvwx",
        "name": "support-bot",
        "status": "validating_files",
        "next_poll": "in 2m 10s",
        "trouble": "HTTP 503: the server is overloaded, try again in a while",
    },
    {"source": "azure", "id": "ftjob-1", "name": "機械学習", "status": "running", "next_poll": "now", "trouble": None},
]

Shown = Callable[[int], list[str]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    """Show the table on a terminal of some width, and return its lines without styles."""
    ours, theirs = pty.openpty()

    def show(width: int) -> list[str]:
        monkeypatch.setattr(sys, "stdout", terminal)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        write_table(COLUMNS, IMPORTANT, ROWS, "nothing")
        text = os.read(ours, 65536).decode().replace("\r\n", "\n")
        return re.sub(r"\x1b\[\d+m", "", text).splitlines()

    with open(theirs, "w", encoding="utf-8", closefd=False) as terminal:
        yield show
    os.close(theirs)
    os.close(ours)


@pytest.mark.parametrize("width", [200, 120, 100, 80, 60, 50])
def test_no_line_is_wider_than_the_terminal_and_ids_and_statuses_are_whole(shown: Shown, width: int) -> None:
    lines = shown(width)
    assert max(map(width_of, lines)) <= width
    heading, first, second, *note = lines
    assert heading.index("ID ") == first.index("ftjob-abcdefghijklmnopqrstuvwx") == second.index("ftjob-1")
    assert "validating_files" in first
    assert "STATUS" in heading
    assert bool(note) is (width < 100)


def test_what_is_less_important_is_left_out_first_and_named(shown: Shown) -> None:
    heading, *_, note = shown(80)
    assert heading.split() == ["ID", "NAME", "STATUS", "TROUBLE"]
    assert note == "(left out here: source, next poll)"


def test_where_two_columns_do_not_fit_each_row_is_a_paragraph(shown: Shown) -> None:
    lines = shown(40)
    assert max(map(width_of, lines)) <= 40
    assert lines[0] == "ftjob-abcdefghijklmnopqrstuvwx"
    assert "  status     validating_files" in lines
    assert "  name       機械学習" in lines


def test_a_pipe_gets_each_row_on_one_line_with_every_column(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(COLUMNS, IMPORTANT, ROWS, "nothing")
    heading, first, _ = capsys.readouterr().out.splitlines()
    assert heading.split() == ["SOURCE", "ID", "NAME", "STATUS", "NEXT", "POLL", "TROUBLE"]
    assert first.endswith("try again in a while")


def test_no_rows_are_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(COLUMNS, IMPORTANT, [], "nothing")
    assert capsys.readouterr().out == "nothing\n"
