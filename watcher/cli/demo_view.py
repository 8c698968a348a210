"""The demonstration on a terminal: the jobs as they train, and beside them the messages as a chat would show them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

from watcher.cli.chat_pane import heading, message_lines, wrapped
from watcher.cli.choice import read_line
from watcher.cli.demo import proof
from watcher.cli.followed_jobs import FollowedJobs
from watcher.cli.glyphs import DIM, GREEN, glyphs_for, painted
from watcher.cli.job_table import table
from watcher.cli.output import write_line
from watcher.cli.screen_region import WholeScreen, screen_size
from watcher.cli.text_width import cut, width_of
from watcher.domain.jobs import Job, JobError, JobFacts, JobKey, JobSpec, Progress
from watcher.domain.polling_policy import PollFailure, PollOutcome
from watcher.domain.states import JobState
from watcher.domain.telemetry import TRAIN_LOSS, EventPage, MetricPoint
from watcher.domain.transitions import Reason, Transition
from watcher.plugins.source import DEFAULT_SOURCE
from watcher.simulator.api import FineTuningApi
from watcher.simulator.demo import RETRY, Verdict
from watcher.simulator.demo_scenes import Scene

_REFRESH_SECONDS = 0.2
_CHAT_WIDTH = 32
_SEPARATOR = " │ "
_LEAST_WIDTH = 72
"""In a narrower window the chat stands below the jobs."""
_WIDEST_TABLE = 110
_CHAT_LINES = 14
_TROUBLE_SHOWN = timedelta(seconds=1)
"""How long trouble stays in sight after it is over."""
_INTRODUCTION = "A simulated fine-tuning API, its receivers, and the real service between them."
_CHANNEL = "# ml-jobs, as in Slack"


class DemoView:
    """Shows a demonstration."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._keys = {actor.script.id: JobKey(DEFAULT_SOURCE, actor.script.id) for actor in scene.actors}
        self._jobs = FollowedJobs([JobSpec(self._keys[actor.script.id], actor.name) for actor in scene.actors])
        self._screen = WholeScreen()
        self._glyphs = glyphs_for(sys.stdout.encoding)
        self._has_colour = not os.environ.get("NO_COLOR")
        self._spinner = cycle(self._glyphs.spinner)
        self._api: FineTuningApi | None = None
        self._page: str | None = None
        self._posts: list[Mapping[str, Any]] = []
        self._delivered = 0
        self._is_forged = False
        self._trouble: dict[str, datetime] = {}
        """Until when trouble is shown, by job."""

    def began(self, api: FineTuningApi) -> None:
        """Note where to look."""
        self._api = api

    def page(self, address: str) -> None:
        """Note where the page is."""
        self._page = address

    def printed(self, line: str) -> None:
        """Say nothing: the table tells the same."""

    def logged(self, entry: Mapping[str, Any]) -> None:
        """Show trouble at the job that has it, and other errors above everything."""
        key = self._keys.get(str(entry.get("job", "")).rpartition("/")[2])
        if entry.get("event") == RETRY and key:
            now = datetime.now(UTC)
            next_at = now + timedelta(seconds=float(entry.get("wait_seconds") or 0))
            failure = PollFailure(PollOutcome.FAILED, str(entry.get("error")))
            self._jobs.poll_failed(Job(key), failure, next_at)
            self._trouble[key.id] = next_at + _TROUBLE_SHOWN
        elif entry.get("level") == "error":
            self._screen.aside(f"{entry.get('event')}: {entry.get('error', '')}")

    def delivered(self, event: Mapping[str, Any], *, verified: bool) -> None:
        """Show a transition at its job."""
        self._delivered += 1
        self._is_forged = self._is_forged or not verified
        key = self._keys.get(str(event["data"].get("id")))
        if key:
            self._jobs.transition(_transition(key, event["data"]))

    def posted(self, message: Mapping[str, Any]) -> None:
        """Show a message in the chat."""
        self._posts.append(message)

    async def run(self) -> None:
        """Draw it anew all the time, and leave nothing of it."""
        try:
            while True:
                self._look()
                self._screen.draw(self._lines())
                await asyncio.sleep(_REFRESH_SECONDS)
        finally:
            self._screen.leave()

    async def ended(self, verdict: Verdict) -> None:
        """Leave the last picture, say what it came to, and keep the page up for whoever is there to see it."""
        self._look()
        self._screen.leave(self._lines())
        if verdict.problems:
            return
        line = proof(verdict)
        write_line(f"\n{painted(line, GREEN if self._has_colour else None)}")
        if self._page and sys.stdin.isatty():
            write_line(f"The page stays until you press Enter:\n{self._page}")
            await read_line()

    def _look(self) -> None:
        """See how the jobs train, and which trouble is over."""
        now = datetime.now(UTC)
        for job_id, key in self._keys.items():
            if self._api:
                self._jobs.told(Job(key), _page_of(self._api, job_id))
            if job_id in self._trouble and now > self._trouble[job_id]:
                del self._trouble[job_id]
                self._jobs.answered(Job(key), None, now)

    def _lines(self) -> list[str]:
        width, height = screen_size()
        head = wrapped(_INTRODUCTION, width)
        if self._scene.has_page and not self._page:
            return [*head, cut(f"{next(self._spinner)} the service starts", width)][:height]
        head += [*wrapped(f"Its page for browsers: {self._page}", width)] if self._page else []
        return [*head, "", *self._panes(width, max(height - len(head) - 1, 1))][:height]

    def _panes(self, width: int, height: int) -> list[str]:
        if width < _LEAST_WIDTH:
            jobs = self._table(width)
            return [*jobs, "", *self._chat(width, max(height - len(jobs) - 2, 2))][:height]
        left_width = min(width - _CHAT_WIDTH - len(_SEPARATOR), _WIDEST_TABLE)
        left, right = self._table(left_width), self._chat(_CHAT_WIDTH, min(height, _CHAT_LINES))
        rows = max(len(left), len(right))
        left += [""] * (rows - len(left))
        right += [""] * (rows - len(right))
        separator = painted(_SEPARATOR, DIM if self._has_colour else None)
        return [f"{_filled_up(one, left_width)}{separator}{other}" for one, other in zip(left, right, strict=True)][
            :height
        ]

    def _table(self, width: int) -> list[str]:
        rows = self._jobs.all_rows(datetime.now(UTC))
        count = f"{self._delivered} of {self._scene.expected} delivered"
        signed = "A SIGNATURE IS WRONG" if self._is_forged else "all signed"
        lines = table(rows, width, next(self._spinner), self._glyphs, has_colour=self._has_colour)
        return [*lines, "", cut(f"  {count}, {signed}", width)]

    def _chat(self, width: int, most: int) -> list[str]:
        lines: list[str] = []
        for message in self._posts:
            lines += message_lines(message, width, has_colour=self._has_colour)
        return [heading(_CHANNEL, width, has_colour=self._has_colour), *lines[-(most - 1) :]]


def _filled_up(line: str, width: int) -> str:
    return line + " " * max(width - width_of(_without_colour(line)), 0)


def _without_colour(line: str) -> str:
    plain, *rest = line.split("\x1b[")
    return plain + "".join(part.partition("m")[2] for part in rest)


def _page_of(api: FineTuningApi, job_id: str) -> EventPage:
    """Return all that a simulated job has told of its training."""
    steps = [event for event in api.events(job_id) if event.data]
    points = tuple(
        MetricPoint(name, event.data["step"], event.data[name], event.at) for event in steps for name in _LOSSES
    )
    last = steps[-1] if steps else None
    return EventPage(
        points=points, progress=Progress(last.data["step"], last.data["total_steps"], last.at) if last else None
    )


_LOSSES: Sequence[str] = (TRAIN_LOSS, "valid_loss")


def _transition(key: JobKey, data: Mapping[str, Any]) -> Transition:
    """Return the transition that a webhook tells of."""
    job, previous = data["job"] or {}, data["previous_status"]
    error = job.get("error") or {}
    facts = JobFacts(
        model=job.get("model"),
        fine_tuned_model=job.get("fine_tuned_model"),
        error=JobError(error.get("code"), error.get("message")) if error.get("message") else None,
        trained_tokens=job.get("trained_tokens"),
    )
    return Transition(
        key=key,
        name=data["name"],
        labels={},
        seq=0,
        previous_status=previous,
        previous_state=None,
        status=data["native_status"],
        state=JobState(data["state"]),
        reason=Reason.ADVANCED if previous else Reason.FIRST_SEEN,
        skipped=(),
        observed_at=datetime.fromtimestamp(data["observed_at"], UTC),
        previous_since=None,
        facts=facts,
        document="{}",
    )
