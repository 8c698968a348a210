"""Lines at the end of a terminal that are rewritten in place, and leave nothing behind."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from watcher.cli.output import tell, write_line, write_text
from watcher.cli.text_width import terminal_size

_CLEAR_REST = "\x1b[J"
"""Takes away what stands behind the cursor and below. Never sent at the very first place of the screen: tmux would
keep what it takes away among the lines that have scrolled out, each time."""
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
"""What is written for a window that has just become narrower must not take more rows than were counted."""
_NEXT_ROW = "\r\n"


class ScreenRegion:
    """Lines that are rewritten as time passes.

    Between two writes the cursor stands at the beginning of the first line. There it stays when the window gets
    narrower and the terminal breaks the lines, so that clearing from the cursor on leaves nothing of them.
    """

    def size(self) -> tuple[int, int]:
        """Return how many columns and rows the lines may take at this moment; at least one of each.

        The last column stays free: some terminals go on to the next line when it is written.
        """
        width, height = terminal_size(sys.stdout)
        return max(width - 1, 1), max(height - 1, 1)

    def draw(self, lines: Sequence[str], above: str = "") -> None:
        """Write the lines in place of the last ones. What stands `above` them, whole lines, stays."""
        back = f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else ""
        first, *others = lines
        rows = _NEXT_ROW.join([first + _CLEAR_REST, *others])
        write_text(f"\r{_cleared(above)}{_NO_WRAP}{rows}{back}\r{_WRAP}")

    def clear(self) -> None:
        """Take the lines away."""
        write_text(f"\r {_CLEAR_REST}\r")

    def leave(self, lines: Sequence[str]) -> None:
        """Write the lines for the last time; they stay."""
        self.clear()
        for line in lines:
            write_line(line)

    def aside(self, text: str) -> None:
        """Write to standard error, above the lines where that is the same terminal. The lines are to be drawn anew."""
        self.clear()
        tell(text)


def _cleared(above: str) -> str:
    """Return the lines with what takes away, behind the first of them, all that stood there and below."""
    first, end, rest = above.partition("\n")
    return f"{first}{_CLEAR_REST}{end}{rest}" if above else ""
