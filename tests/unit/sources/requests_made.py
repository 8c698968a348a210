"""A source and the API it asks, over real HTTP on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from tests.doubles import ManualClock, RecordingLog
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import Fault, FaultKind, JobScript, Script, Step
from watcher.sources.openai.config import SourceConfig
from watcher.sources.openai.source import OpenAISource

KEY = "sk-very-secret-key-1234"


@dataclass(frozen=True)
class World:
    """A source and the API it asks."""

    api: FineTuningApi
    source: OpenAISource
    log: RecordingLog
    clock: ManualClock
    slept: list[float]
    """The seconds waited between attempts."""


@asynccontextmanager
async def world(
    *faults: Fault,
    script: Script | None = None,
    turn: Callable[[], Awaitable[None]] | None = None,
    **config: object,
) -> AsyncIterator[World]:
    """Serve the script, or two jobs of which the first has the faults, to a source with the configuration given."""
    jobs = (JobScript("ftjob-1", (Step("running"),), faults=faults), JobScript("ftjob-2", (Step("queued"),)))
    log, slept, clock = RecordingLog(), list[float](), ManualClock()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with FineTuningApi(script or Script(jobs, api_key=KEY), clock=clock) as api:
        settings = replace(SourceConfig(base_url=api.base_url, api_key=KEY, timeout=timedelta(seconds=0.4)), **config)  # type: ignore[arg-type]
        async with OpenAISource(settings, clock, log, at_once=4, sleep=sleep, turn=turn) as source:
            yield World(api, source, log, clock, slept)


def failing(status_code: int = 503, *, times: int | None = 1, **headers: str) -> Fault:
    """Return a fault that answers with the status code."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(FaultKind.STATUS, times=times, status_code=status_code, headers=named)
