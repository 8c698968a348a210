"""A source and the API it asks, over real HTTP on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from tests.doubles import ManualClock, RecordingLog
from watcher.plugins.source import SourceContext
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import Fault, FaultKind, JobScript, Script, Step
from watcher.sources.credentials import FixedCredential
from watcher.sources.http_source import PAGES_KEPT, HttpSource
from watcher.sources.openai.dialect import OpenAIDialect
from watcher.sources.openai.endpoint import Access

KEY = "sk-very-secret-key-1234"


@dataclass(frozen=True)
class World:
    """A source and the API it asks."""

    api: FineTuningApi
    source: HttpSource
    log: RecordingLog
    clock: ManualClock
    slept: list[float]
    """The seconds waited between attempts."""


@asynccontextmanager
async def world(
    *faults: Fault,
    script: Script | None = None,
    turn: Callable[[], Awaitable[None]] | None = None,
    api_key: str | None = KEY,
    pages_kept: int = PAGES_KEPT,
    **access: object,
) -> AsyncIterator[World]:
    """Serve the script, or two jobs of which the first has the faults, to a source with the configuration given."""
    jobs = (JobScript("ftjob-1", (Step("running"),), faults=faults), JobScript("ftjob-2", (Step("queued"),)))
    log, slept, clock = RecordingLog(), list[float](), ManualClock()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with FineTuningApi(script or Script(jobs, api_key=KEY), clock=clock) as api:
        settings = replace(Access(api.base_url, FixedCredential(api_key)), **access)  # type: ignore[arg-type]
        context = SourceContext("openai", clock, log, timedelta(seconds=0.4), concurrency=4, turn=turn, sleep=sleep)
        async with HttpSource(settings.endpoint("openai"), OpenAIDialect(), context, pages_kept=pages_kept) as source:
            yield World(api, source, log, clock, slept)


def failing(status_code: int = 503, *, times: int | None = 1, **headers: str) -> Fault:
    """Return a fault that answers with the status code."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(FaultKind.STATUS, times=times, status_code=status_code, headers=named)
