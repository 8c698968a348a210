"""What `watch` shows: transitions as lines or as JSON, and signs that it still watches."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from watcher.cli.followed_jobs import FollowedJobs
from watcher.cli.output import tell, write_line
from watcher.cli.text_width import terminal_size
from watcher.cli.transition_line import transition_line
from watcher.domain.messages import encode, line_of, message_of
from watcher.domain.states import JobState
from watcher.domain.transitions import Transition
from watcher.engine.runtime import Runtime

SILENCE_LIMIT = timedelta(minutes=3)
"""How long a pipe or a file gets nothing: systems that run such commands end them when they seem to hang."""
_MOST_NAMED = 3
"""More jobs are counted."""
_COLOURS = {JobState.SUCCEEDED: "32", JobState.FAILED: "31", JobState.CANCELLED: "33"}

Render = Callable[[Transition, str, int | None], str]
"""Writes a transition, with what its job is called, for a width in columns, or as one line."""


class Screen(Protocol):
    """Where `watch` shows what happens."""

    def transition(self, transition: Transition) -> None:
        """Show a transition."""
        ...

    def aside(self, text: str) -> None:
        """Tell of trouble, on standard error."""
        ...

    async def run(self) -> None:
        """Show that the watching goes on, until cancelled."""
        ...

    def close(self) -> None:
        """Take away what is not to stay."""
        ...


class LineScreen:
    """Plain lines, for a pipe or a file."""

    def __init__(
        self,
        render: Render,
        jobs: FollowedJobs,
        runtime: Runtime,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._render = render
        self._jobs = jobs
        self._runtime = runtime
        self._sleep = sleep
        self._written_at = runtime.steady()

    def transition(self, transition: Transition) -> None:
        """Write it to standard output."""
        write_line(self._render(transition, self._jobs.title_of(transition.key), None))
        self._written_at = self._runtime.steady()

    def aside(self, text: str) -> None:
        """Write it to standard error."""
        tell(text)
        self._written_at = self._runtime.steady()

    async def run(self) -> None:
        """Say on standard error how the jobs stand, whenever nothing was written for too long."""
        while True:
            left = SILENCE_LIMIT.total_seconds() - (self._runtime.steady() - self._written_at)
            if left > 0:
                await self._sleep(left)
            else:
                self.aside(self._sign_of_life())

    def close(self) -> None:
        """Leave everything."""

    def _sign_of_life(self) -> str:
        each = self._jobs.each(self._runtime.clock())
        if not each:
            return "every job has ended; messages are still being delivered"
        named = "; ".join(f"{title}: {standing}" for title, standing in each)
        return f"still watching: {named if len(each) <= _MOST_NAMED else self._jobs.counts()}"


class LiveScreen:
    """Transitions above a live view, for a terminal."""

    def __init__(self, render: Render, jobs: FollowedJobs, runtime: Runtime) -> None:
        from watcher.cli.live_view import LiveView

        self._render = render
        self._jobs = jobs
        self._view = LiveView(jobs, runtime.clock)

    def transition(self, transition: Transition) -> None:
        """Write it above the view."""
        line = self._render(transition, self._jobs.title_of(transition.key), terminal_size(sys.stdout)[0])
        colour = None if os.environ.get("NO_COLOR") else _COLOURS.get(transition.state)
        self._view.above(f"\x1b[{colour}m{line}\x1b[0m" if colour else line)

    def aside(self, text: str) -> None:
        """Write it above the view."""
        self._view.aside(text)

    async def run(self) -> None:
        """Keep the view up to date."""
        await self._view.run()

    def close(self) -> None:
        """Take the view away, and sum up."""
        self._view.close()


@dataclass(frozen=True, slots=True)
class Show:
    """What is shown, and how."""

    as_json: bool
    verbose: bool
    is_live: bool
    """Whether there is a terminal for a live view."""

    @property
    def has_view(self) -> bool:
        """Whether there is a live view."""
        return self.is_live and not self.as_json


def open_screen(jobs: FollowedJobs, runtime: Runtime, show: Show) -> Screen:
    """Return the screen that fits: JSON lines if asked for, a live view on a terminal, otherwise plain lines."""
    if show.as_json:
        return LineScreen(_envelope, jobs, runtime)
    render = _whole_line if show.verbose else transition_line
    if show.has_view:
        return LiveScreen(render, jobs, runtime)
    return LineScreen(render, jobs, runtime)


def _envelope(transition: Transition, _title: str, _width: int | None) -> str:
    return encode(message_of(transition))


def _whole_line(transition: Transition, _title: str, _width: int | None) -> str:
    return line_of(message_of(transition))
