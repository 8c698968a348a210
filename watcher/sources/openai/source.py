"""The fine-tuning jobs of OpenAI, Azure, or a service that speaks the same API."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Self
from urllib.parse import quote

from watcher.domain.jobs import ID_RULE, JobKey, Observation, Page, Progress, is_job_id
from watcher.engine.ports import Clock, Log
from watcher.errors import ConfigurationError
from watcher.http import Answer, Request
from watcher.sources.client import Pace, SourceClient
from watcher.sources.errors import request_id_of
from watcher.sources.openai.config import SourceConfig

PAGES_KEPT = 200
"""Pages remembered: those of 20,000 jobs, in about 4 MB. Each job that is created gives all of them new beginnings."""


@dataclass(slots=True)
class _CachedPage:
    """What is remembered of a page of the list."""

    request: Request
    digest: bytes = b""
    page: Page | None = None


class OpenAISource:
    """A source that speaks `GET {base_url}/fine_tuning/jobs`: the list, a job of it, the events of a job."""

    def __init__(  # noqa: PLR0913 - `sleep` is for tests, `turn` for sources with a budget
        self,
        config: SourceConfig,
        clock: Clock,
        log: Log,
        *,
        at_once: int,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        turn: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Make a source with at most `at_once` requests in flight, each of which awaits its `turn`.

        Raises ConfigurationError for bad certificates, and for a base URL of a host that cannot be.
        """
        self.name = config.name
        self._clock = clock
        self._log = log
        self._api = SourceClient(config, clock, log, Pace(at_once, sleep, turn))
        self._requests: dict[str, Request] = {}
        self._last: dict[str, tuple[bytes, str]] = {}
        """The digest of the last body of each job, and the status it said. The body itself would take the memory."""
        self._leaves: dict[str | None, _CachedPage] = {}
        """By the id that a page comes after; the one asked for last stands last."""

    async def __aenter__(self) -> Self:
        """Open the connections."""
        await self._api.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the connections."""
        await self._api.__aexit__(*exc_info)

    async def retrieve(self, job_id: str, known: str | None = None) -> Observation | None:
        """Ask for the job: see `JobSource`."""
        request = self._requests.get(job_id)
        if request is None:
            request = self._requests[job_id] = self._api.request(_path(job_id))
        return await self._api.ask(request, partial(self._read_job, job_id, known), job=job_id)

    async def page(self, after: str | None = None) -> Page:
        """Ask for a page of the list of jobs: see `JobSource`.

        A page that says what it said last time is the same object.
        """
        leaf = self._leaf(after)
        return await self._api.ask(leaf.request, partial(self._read_page, after, leaf), after=after)

    async def progress(self, job_id: str) -> Progress | None:
        """Ask how far the job has come: see `JobSource`."""
        from watcher.sources.openai.events import EVENTS_READ

        request = self._api.request(f"{_path(job_id)}/events", limit=str(EVENTS_READ))
        return await self._api.ask(request, partial(self._read_progress, job_id), job=job_id)

    def forget(self, job_id: str) -> None:
        """Drop what is remembered of a job that is polled no more."""
        self._requests.pop(job_id, None)
        self._last.pop(job_id, None)

    def _leaf(self, after: str | None) -> _CachedPage:
        from watcher.sources.openai.list import PAGE_SIZE

        leaf = self._leaves.pop(after, None)
        if leaf is None:
            behind = {} if after is None else {"after": after}
            leaf = _CachedPage(self._api.request(limit=str(PAGE_SIZE), **behind))
        self._leaves[after] = leaf
        if len(self._leaves) > PAGES_KEPT:
            del self._leaves[next(iter(self._leaves))]
        return leaf

    def _read_job(self, job_id: str, known: str | None, answer: Answer) -> Observation | None:
        digest = _digest(answer.body)
        if known is not None and self._last.get(job_id) == (digest, known):
            self._note("poll answered, nothing new", answer, job=job_id)
            return None
        # pydantic is imported while the first request is under way: `watch` reaches the API that much sooner.
        from watcher.sources.openai import wire

        observation = wire.parse(answer.body, JobKey(self.name, job_id), self._clock())
        self._note("poll answered", answer, job=job_id, status=observation.status)
        self._last[job_id] = digest, sys.intern(observation.status)
        return observation

    def _read_page(self, after: str | None, leaf: _CachedPage, answer: Answer) -> Page:
        from watcher.sources.openai.list import parse_page

        digest = _digest(answer.body)
        if leaf.page is None or leaf.digest != digest:
            leaf.page = parse_page(answer.body, after)
            leaf.digest = digest
        self._note("page answered", answer, after=after, jobs=len(leaf.page.statuses))
        return leaf.page

    def _read_progress(self, job_id: str, answer: Answer) -> Progress | None:
        from watcher.sources.openai.events import parse_progress

        progress = parse_progress(answer.body)
        self._note("look at events answered", answer, job=job_id, step=progress and progress.step)
        return progress

    def _note(self, event: str, answer: Answer, **about: object) -> None:
        self._log.debug(event, source=self.name, **about, request_id=request_id_of(answer))


def _path(job_id: str) -> str:
    if not is_job_id(job_id):
        raise ConfigurationError(f"not a job id: expected {ID_RULE}")
    return f"/{quote(job_id, safe='')}"


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()
