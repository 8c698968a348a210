"""What stands under the transitions on a terminal while `watch` runs, and what it leaves there at the end."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from itertools import cycle

from watcher.cli.followed_jobs import FollowedJobs, JobRow
from watcher.cli.glyphs import STATE_COLOURS, Glyphs, glyphs_for, painted
from watcher.cli.job_table import losses_of, share_of, standing_words, table
from watcher.cli.output import write_line
from watcher.cli.screen_region import ScreenRegion, screen_size
from watcher.cli.terminal_window import Window
from watcher.cli.text_width import cut, width_of
from watcher.domain.durations import format_duration
from watcher.domain.jobs import JobFacts
from watcher.domain.states import JobState
from watcher.domain.text import printable
from watcher.engine.runtime import Clock

_MOST_ROWS = 10
_REFRESH_SECONDS = 0.2


class LiveView:
    """A row for each job that has not ended; at the end a summary of those that have."""

    def __init__(self, jobs: FollowedJobs, clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock
        self._region = ScreenRegion()
        self._window = Window(os.environ)
        self._glyphs = glyphs_for(sys.stdout.encoding)
        self._has_colour = not os.environ.get("NO_COLOR")
        self._spinner = cycle(self._glyphs.spinner)
        self._mark = next(self._spinner)

    async def run(self) -> None:
        """Show how the jobs stand, until cancelled."""
        while True:
            self._mark = next(self._spinner)
            self.draw()
            await asyncio.sleep(_REFRESH_SECONDS)

    def draw(self, above: str = "") -> None:
        """Write the rows, under lines that stay."""
        width, height = screen_size()
        rows = self._jobs.rows(self._clock())
        self._region.draw(self._lines(rows, width, min(height, _MOST_ROWS)), above)
        if rows:
            self._window.show(_title(rows, self._jobs), *_overall(rows))

    def above(self, text: str) -> None:
        """Write lines above."""
        self.draw(f"{text}\n")

    def aside(self, text: str) -> None:
        """Write to standard error, above the rows where that is the same terminal."""
        self._region.aside(text)
        self.draw()

    def close(self) -> None:
        """Take the rows away, put the window back as it was, and sum up."""
        self._region.clear()
        self._window.restore()
        width, _ = screen_size()
        for row, facts in self._jobs.ended(self._clock()):
            for line in _summary(row, facts, width, self._glyphs, has_colour=self._has_colour):
                write_line(line)

    def _lines(self, rows: Sequence[JobRow], width: int, most: int) -> list[str]:
        if not rows:
            return [cut(f"{self._mark} finishing", width)]
        shown = rows if len(rows) < most else rows[: max(most - 2, 0)]
        lines = table(shown, width, self._mark, self._glyphs, has_colour=self._has_colour)[-most:] if shown else []
        if len(shown) < len(rows):
            lines.append(cut(f"{self._mark} {len(rows)} jobs: {self._jobs.counts()}", width))
        return lines


def _title(rows: Sequence[JobRow], jobs: FollowedJobs) -> str:
    return f"{standing_words(rows[0]) if len(rows) == 1 else jobs.counts()} · watcher"


def _overall(rows: Sequence[JobRow]) -> tuple[float | None, bool]:
    """Return how much is done of what runs, None where nobody says, and whether there is trouble."""
    shares = [share for row in rows if (share := share_of(row.training.progress)) is not None]
    is_troubled = any(row.note or (row.trouble and row.state) for row in rows)
    return (sum(shares) / len(shares) if shares else None), is_troubled


def _summary(row: JobRow, facts: JobFacts, width: int, glyphs: Glyphs, *, has_colour: bool) -> list[str]:
    """Sum up a job that has ended: duration, tokens, losses, and the model's name or the error."""
    is_good = row.state is JobState.SUCCEEDED
    mark = glyphs.good if is_good else glyphs.bad if row.state is JobState.FAILED else glyphs.other
    exact = "" if row.is_elapsed_exact else "at least "
    parts = [
        f"{mark} {row.title} {row.status}",
        *([f"after {exact}{format_duration(row.elapsed)}"] if row.elapsed is not None else []),
        *([f"{facts.trained_tokens:,} tokens"] if facts.trained_tokens else []),
        *losses_of(row),
    ]
    lines = _filled(parts, width, glyphs.dot)
    lines[0] = painted(lines[0], STATE_COLOURS.get(row.state) if has_colour and row.state else None)
    model, error = facts.fine_tuned_model, facts.error.message if facts.error else None
    if model:
        lines.append(f"  {printable(model)}")
    elif error:
        lines.append(cut(f"  {printable(error)}", width))
    return lines


def _filled(parts: Sequence[str], width: int, dot: str) -> list[str]:
    """Put as many parts on each line as fit there."""
    lines = [parts[0]]
    for part in parts[1:]:
        if width_of(lines[-1]) + len(dot) + width_of(part) <= width:
            lines[-1] += dot + part
        else:
            lines.append(f"  {part}")
    return lines
