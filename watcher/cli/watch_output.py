"""What `watch` shows: one line, or one JSON envelope, per transition."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Protocol

from watcher.cli.output import write_line
from watcher.domain.jobs import Job
from watcher.domain.messages import encode, line_of, message_of
from watcher.domain.polling_policy import PollFailure
from watcher.domain.transitions import Transition


class Screen(Protocol):
    """Where `watch` shows what happens."""

    def transition(self, transition: Transition) -> None:
        """Show a transition."""
        ...

    def poll_failed(self, job: Job, failure: PollFailure, next_at: datetime | None) -> None:
        """Show that a poll failed."""
        ...


class LineScreen:
    """Plain lines, for a pipe or a file."""

    def transition(self, transition: Transition) -> None:
        """Write one readable line."""
        write_line(line_of(message_of(transition)))

    def poll_failed(self, job: Job, failure: PollFailure, next_at: datetime | None) -> None:
        """Leave it to the log."""


class JsonScreen(LineScreen):
    """The webhook envelope, one line per transition."""

    def transition(self, transition: Transition) -> None:
        """Write the envelope."""
        write_line(encode(message_of(transition)))


def open_screen(*, as_json: bool) -> AbstractContextManager[Screen]:
    """Return the screen that fits: JSON lines if asked for, one live line on a terminal, otherwise plain lines."""
    if as_json:
        return nullcontext(JsonScreen())
    if sys.stdout.isatty():
        from watcher.cli.live_view import LiveScreen

        return LiveScreen()
    return nullcontext(LineScreen())
