"""A terminal that breaks its lines anew when its width changes, as today's terminals do."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
from asyncio import get_running_loop
from types import TracebackType
from typing import Self

_TOKEN = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|\x1b\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)|\r|\n|[^\x1b]", re.DOTALL)


class Terminal:
    """What a process writes to it is read while the loop runs."""

    def __init__(self, width: int, height: int = 24) -> None:
        self._ours, self.theirs = pty.openpty()
        self._height = height
        self._lines = [""]
        self._line = self._at = 0
        """Where the cursor is: in which line, before which character."""
        self._wraps = True
        self._first_screen = (self._lines, 0, 0)
        """What is to be seen again once the second screen is left."""
        self._unread = ""
        self.commands: list[str] = []
        """The operating system commands that it was given: of its title, of progress, of notifications."""
        self.resize(width)

    def __enter__(self) -> Self:
        """Begin to read."""
        get_running_loop().add_reader(self._ours, self._read)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it."""
        get_running_loop().remove_reader(self._ours)
        os.close(self.theirs)
        os.close(self._ours)

    @property
    def lines(self) -> list[str]:
        """What is to be seen, without what is empty at the end."""
        return "\n".join(line.rstrip() for line in self._lines).rstrip("\n").split("\n")

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self._ours, text.encode())

    def resize(self, width: int) -> None:
        """Change the width. The cursor stays at its character."""
        self.width = width
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", self._height, width, 0, 0))

    def _read(self) -> None:
        self._unread += os.read(self._ours, 65536).decode(errors="replace")
        end = 0
        for token in _TOKEN.finditer(self._unread):
            if token["osc"] is not None:
                self.commands.append(token["osc"])
            else:
                self._do(token[0], token[1], token[2])
            end = token.end()
        self._unread = self._unread[end:]

    def _do(self, text: str, argument: str | None, command: str | None) -> None:
        match command, text:
            case "A" | "H", _:
                self._move(command, int(argument or 1))
            case "J", _:
                self._lines[self._line :] = [self._lines[self._line][: self._at]]
            case "K", _:
                self._lines[self._line] = self._lines[self._line][: self._at]
            case "h" | "l", _:
                self._set_mode(argument, is_on=command == "h")
            case None, "\a":
                pass  # rings
            case None, "\r":
                self._at -= self._at % self.width
            case None, "\n":
                self._down()
            case None, _:
                self._put(text)

    def _move(self, command: str | None, rows: int) -> None:
        if command == "H":
            self._line = self._at = 0
            return
        for _ in range(rows):
            self._up()

    def _set_mode(self, mode: str | None, *, is_on: bool) -> None:
        if mode == "?7":
            self._wraps = is_on
        elif mode == "?1049" and is_on:
            self._first_screen = self._lines, self._line, self._at
            self._lines, self._line, self._at = [""], 0, 0
        elif mode == "?1049":
            self._lines, self._line, self._at = self._first_screen

    def _put(self, character: str) -> None:
        line = self._lines[self._line].ljust(self._at)
        self._lines[self._line] = line[: self._at] + character + line[self._at + 1 :]
        if self._wraps or (self._at + 1) % self.width:
            self._at += 1

    def _up(self) -> None:
        if self._at >= self.width:
            self._at -= self.width
        elif self._line:
            self._line -= 1
            rows = max(1, -(-len(self._lines[self._line]) // self.width))
            self._at += (rows - 1) * self.width

    def _down(self) -> None:
        if self._at // self.width < (max(len(self._lines[self._line]), 1) - 1) // self.width:
            self._at += self.width
            return
        self._line += 1
        self._at %= self.width
        if self._line == len(self._lines):
            self._lines.append("")
