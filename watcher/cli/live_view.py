"""What stands under the transitions on a terminal, while `watch` runs: a line for each job that has not ended."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from itertools import cycle

from watcher.cli.followed_jobs import FollowedJobs
from watcher.cli.output import tell, write_text
from watcher.cli.text_width import cut, terminal_size
from watcher.engine.ports import Clock

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PLAIN_SPINNER = "|/-\\"
_MOST_ROWS = 10
_CLEAR = "\r\x1b[J"
"""Takes away what stands from the cursor on."""
_REFRESH_SECONDS = 0.2


class LiveView:
    """Lines that are written anew as time passes, and taken away at the end.

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
        lines = self._lines(min(height - 1, _MOST_ROWS))
        # The last column stays free: some terminals go on to the next line when it is written.
        rows = [cut(f"{self._mark if row == 0 else ' '} {line}", width - 1) for row, line in enumerate(lines)]
        back = f"\x1b[{len(rows) - 1}A" if len(rows) > 1 else ""
        write_text(_CLEAR + "\r\n".join(rows) + back + "\r")

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

    def _lines(self, most: int) -> Sequence[str]:
        each = self._jobs.each(self._clock())
        return each if len(each) <= max(most, 1) else [self._jobs.counts()]


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
