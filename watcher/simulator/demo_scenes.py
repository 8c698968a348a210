"""What the demonstration shows: jobs, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from watcher.simulator.script import Endpoint, Fault, FaultKind, JobScript, Step, Training


@dataclass(frozen=True, slots=True)
class Actor:
    """A job of the demonstration."""

    name: str
    fate: str
    """What becomes of it, in words."""
    script: JobScript


@dataclass(frozen=True, slots=True)
class Scene:
    """A demonstration."""

    actors: Sequence[Actor]
    has_page: bool = False
    """Whether the service serves its page."""
    has_chat: bool = False
    """Whether it also writes to a chat."""

    @property
    def expected(self) -> int:
        """How many status changes there are."""
        return sum(len(actor.script.steps) for actor in self.actors)

    @property
    def expected_posts(self) -> int:
        """How many of them the chat hears of."""
        told = [step for actor in self.actors for step in actor.script.steps if step.status in CHAT_STATUSES]
        return len(told) if self.has_chat else 0


CHAT_STATUSES = ("running", "succeeded", "failed", "cancelled")
"""What the chat hears of: it takes one message a second."""
_SHORT, _MIDDLE, _LONG = (timedelta(seconds=number) for number in (9, 13, 16))


def _life(*statuses: str, trains: timedelta | None = None) -> tuple[Step, ...]:
    # The statuses move on with the answers, not with the clock: a slow machine sees the same. A job that trains does
    # so for some seconds, in which it is asked many times.
    steps = [
        Step(status, lasts=trains) if trains and status == "running" else Step(status, polls=2)
        for status in statuses[:-1]
    ]
    return (*steps, Step(statuses[-1]))


def _busy(at: int, status_code: int, times: int = 1, **headers: str) -> Fault:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(
        FaultKind.STATUS, times=times, at=at, endpoint=Endpoint.RETRIEVE, status_code=status_code, headers=given
    )


PLAIN = Scene(
    (
        Actor(
            "support-bot",
            "succeeds",
            JobScript("ftjob-demo1", _life("validating_files", "queued", "running", "succeeded"), suffix="support-bot"),
        ),
        Actor(
            "sql-helper", "fails", JobScript("ftjob-demo2", _life("validating_files", "queued", "running", "failed"))
        ),
        Actor("old-idea", "is cancelled", JobScript("ftjob-demo3", _life("queued", "running", "cancelled"))),
        Actor("tagger", "skips a status", JobScript("ftjob-demo4", _life("validating_files", "running", "succeeded"))),
        Actor(
            "summariser",
            "meets a 503 and a 429",
            JobScript(
                "ftjob-demo5",
                _life("queued", "running", "succeeded"),
                faults=(_busy(2, 503), _busy(4, 429, retry_after="1")),
            ),
        ),
    )
)
"""For pipes: a few seconds, and a line for everything that happens."""


def live(*, has_page: bool) -> Scene:
    """Return what is shown on a terminal: half a minute of jobs that train well and badly."""
    return Scene(
        (
            Actor(
                "support-bot",
                "succeeds",
                JobScript(
                    "ftjob-demo1",
                    _life("validating_files", "queued", "running", "succeeded", trains=_MIDDLE),
                    suffix="support-bot",
                ),
            ),
            Actor(
                "sql-helper",
                "fails",
                JobScript("ftjob-demo2", _life("validating_files", "queued", "running", "failed", trains=_SHORT)),
            ),
            Actor(
                "old-idea",
                "its loss diverges",
                JobScript(
                    "ftjob-demo3",
                    _life("queued", "running", "succeeded", trains=_LONG),
                    suffix="old-idea",
                    training=Training.DIVERGES,
                ),
            ),
            Actor(
                "tagger",
                "stalls, and is cancelled",
                JobScript(
                    "ftjob-demo4", _life("queued", "running", "cancelled", trains=_LONG), training=Training.STALLS
                ),
            ),
            Actor(
                "summariser",
                "is rate-limited",
                JobScript(
                    "ftjob-demo5",
                    _life("queued", "running", "succeeded", trains=_MIDDLE),
                    suffix="summariser",
                    faults=(_busy(5, 503), _busy(8, 429, times=2, retry_after="2")),
                ),
            ),
        ),
        has_page=has_page,
        has_chat=True,
    )
