"""Lines at the end of a terminal that are rewritten in place, and leave nothing behind."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from watcher.cli.output import tell, write_line, write_text
from watcher.cli.text_width import cut, terminal_size

_CLEAR_REST = "\x1b[J"
"""Takes away what stands behind the cursor and below. Never sent at the very first place of the screen: tmux would
keep what it takes away among the lines that have scrolled out, each time."""
_CLEAR_ROW = "\x1b[K"
_BEGIN = "\x1b[H"
_OTHER_SCREEN, _FIRST_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
"""What is written for a window that has just become narrower must not take more rows than were counted."""
_NEXT_ROW = "\r\n"


def screen_size() -> tuple[int, int]:
    """Return how many columns and rows lines may take at this moment; at least one of each.

    The last column stays free: some terminals go on to the next line when it is written.
    """
    width, height = terminal_size(sys.stdout)
    return max(width - 1, 1), max(height - 1, 1)


class ScreenRegion:
    """Lines that are rewritten as time passes.

    Between two writes the cursor stands at the beginning of the first line. There it stays when the window gets
    narrower and the terminal breaks the lines, so that clearing from the cursor on leaves nothing of them.
    """

    def draw(self, lines: Sequence[str], above: str = "") -> None:
        """Write the lines in place of the last ones. What stands `above` them, whole lines, stays."""
        back = f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else ""
        first, *others = lines
        rows = _NEXT_ROW.join([first + _CLEAR_REST, *others])
        write_text(f"\r{_cleared(above)}{_NO_WRAP}{rows}{back}\r{_WRAP}")

    def clear(self) -> None:
        """Take the lines away."""
        write_text(f"\r {_CLEAR_REST}\r")

    def aside(self, text: str) -> None:
        """Write to standard error, above the lines where that is the same terminal. The lines are to be drawn anew."""
        self.clear()
        tell(text)


class WholeScreen:
    """Lines on a screen of their own, for what fills most of it: no change of the window can leave any of them behind.

    What was there before is there again once they are left.
    """

    def __init__(self) -> None:
        self._is_shown = False
        self._asides: list[str] = []

    def draw(self, lines: Sequence[str]) -> None:
        """Write the lines in place of the last ones."""
        begin = _BEGIN if self._is_shown else _OTHER_SCREEN + _BEGIN
        self._is_shown = True
        rows = f"{_CLEAR_ROW}{_NEXT_ROW}".join([*self._asides[-1:], *lines])
        write_text(f"{begin}{_NO_WRAP}{rows}{_CLEAR_REST}{_WRAP}")

    def aside(self, text: str) -> None:
        """Show a text above the lines; it is written to standard error once they are left."""
        self._asides.append(cut(text, screen_size()[0]))

    def leave(self, lines: Sequence[str] = ()) -> None:
        """Go back to the first screen, and write there what is to stay."""
        if self._is_shown:
            write_text(_FIRST_SCREEN)
        self._is_shown = False
        if self._asides:
            tell(*self._asides)
        self._asides.clear()
        for line in lines:
            write_line(line)


def _cleared(above: str) -> str:
    """Return the lines with what takes away, behind the first of them, all that stood there and below."""
    first, end, rest = above.partition("\n")
    return f"{first}{_CLEAR_REST}{end}{rest}" if above else ""
