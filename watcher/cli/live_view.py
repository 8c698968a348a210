"""What stands under the transitions on a terminal, while `watch` runs: a line for each job that has not ended."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from itertools import cycle

from watcher.cli.followed_jobs import FollowedJobs
from watcher.cli.output import tell, write_text
from watcher.cli.text_width import cut, terminal_size, width_of
from watcher.engine.ports import Clock

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PLAIN_SPINNER = "|/-\\"
_MOST_ROWS = 10
_MARGIN = "  "
_SHORTEST_TITLE = 12
_CLEAR = "\r\x1b[J"
"""Takes away what stands from the cursor on."""
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
"""What is written for a window that has just become narrower must not take more rows than were counted."""
_NEXT_ROW = "\r\n"
_REFRESH_SECONDS = 0.2


class LiveView:
    """Lines that are rewritten as time passes, and removed at the end.

    Between two writes the cursor stands at the beginning of the first line. There it stays when the window gets
    narrower and the terminal breaks the lines, so that clearing from the cursor on leaves nothing of them.
    """

    def __init__(self, jobs: FollowedJobs, clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock
        self._spinner = cycle(_SPINNER if _can_show(_SPINNER) else _PLAIN_SPINNER)
        self._mark = next(self._spinner)

    async def run(self) -> None:
        """Show how the jobs stand, until cancelled."""
        while True:
            self._mark = next(self._spinner)
            self.draw()
            await asyncio.sleep(_REFRESH_SECONDS)

    def draw(self) -> None:
        """Write the lines."""
        width, height = terminal_size(sys.stdout)
        # The last column stays free: some terminals go on to the next line when it is written.
        lines = self._lines(max(min(height - 1, _MOST_ROWS), 1), width - 1 - len(_MARGIN))
        rows = [f"{_MARGIN if row else f'{self._mark} '}{line}" for row, line in enumerate(lines)]
        back = f"\x1b[{len(rows) - 1}A" if len(rows) > 1 else ""
        write_text(f"{_CLEAR}{_NO_WRAP}{_NEXT_ROW.join(rows)}{back}\r{_WRAP}")

    def clear(self) -> None:
        """Take the lines away."""
        write_text(_CLEAR)

    def above(self, text: str) -> None:
        """Write lines above."""
        write_text(f"{_CLEAR}{text}\n")
        self.draw()

    def aside(self, text: str) -> None:
        """Write to standard error, above the lines where that is the same terminal."""
        self.clear()
        tell(text)
        self.draw()

    def _lines(self, most: int, width: int) -> Sequence[str]:
        each = self._jobs.each(self._clock())
        if len(each) > most:
            return [cut(self._jobs.counts(), width)]
        return [_fitted(title, standing, width) for title, standing in each]


def _fitted(title: str, standing: str, width: int) -> str:
    """Put both on a line; where there is no room for all, the beginning of the standing counts more than the title."""
    columns = max(width - width_of(standing) - 2, min(width_of(title), _SHORTEST_TITLE))
    return cut(f"{cut(title, columns)}: {standing}", width)


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
