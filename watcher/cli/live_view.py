"""One live line on a terminal, under the transitions that have happened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from watcher.domain.durations import format_duration
from watcher.domain.jobs import Job, JobKey
from watcher.domain.messages import line_of, message_of
from watcher.domain.polling_policy import PollFailure
from watcher.domain.states import is_terminal
from watcher.domain.text import printable
from watcher.domain.transitions import Transition

SPINNER_WIDTH = 2
STYLES = {"succeeded": "green", "failed": "red", "cancelled": "yellow"}


class LiveScreen:
    """Shows for each job its status and for how long, and what the last poll complained of."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._last: dict[JobKey, Transition] = {}
        self._failures: dict[JobKey, PollFailure] = {}
        self._spinner = Spinner("dots")
        self._live = Live(
            get_renderable=self._line, console=self._console, refresh_per_second=8, transient=True, screen=False
        )

    def __enter__(self) -> Self:
        """Show the line."""
        self._live.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Take the line away."""
        self._live.__exit__(None, None, None)

    def transition(self, transition: Transition) -> None:
        """Print the transition above the live line."""
        self._last[transition.key] = transition
        self._failures.pop(transition.key, None)
        style = STYLES.get(transition.status, "")
        self._console.print(Text(line_of(message_of(transition)), style=style), soft_wrap=True)

    def poll_failed(self, job: Job, failure: PollFailure, next_at: datetime | None) -> None:
        """Mention it in the live line."""
        if next_at:
            self._failures[job.key] = failure

    def _line(self) -> Spinner:
        now = datetime.now(UTC)
        parts = [
            f"{transition.title} {transition.status} for {format_duration(now - transition.observed_at)}"
            for transition in self._last.values()
            if not is_terminal(transition.state)
        ] or ["waiting for the first answer" if not self._last else ""]
        parts += [f"{key.id}: {failure.error}" for key, failure in self._failures.items()]
        text = Text(printable(" · ".join(parts)))
        text.truncate(max(self._console.width - SPINNER_WIDTH, 1), overflow="ellipsis")
        self._spinner.update(text=text)
        return self._spinner
