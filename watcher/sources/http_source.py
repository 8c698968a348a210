"""A source that is asked by GET requests, each kind in its own dialect; what was answered before costs little."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable
from urllib.parse import quote

from watcher.domain.jobs import ID_RULE, NO_METADATA, JobKey, ListedJob, Observation, Page, is_job_id
from watcher.errors import ConfigurationError
from watcher.http import Answer, Request
from watcher.plugins.source import Capabilities, ReadWebhook, SourceContext
from watcher.sources.client import SourceClient
from watcher.sources.endpoint import Endpoint
from watcher.sources.errors import ErrorRules, request_id_of

if TYPE_CHECKING:
    # `watch` reads events when its first requests have left.
    from watcher.domain.telemetry import EventPage

ENTRIES_KEPT = 50_000
"""Jobs on the pages remembered, of a service that gives more of them at once."""
PAGES_KEPT = 200
"""Pages remembered: those of 20,000 jobs, in about 4 MB. Each job that is created gives all of them new beginnings."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a path behind the URL of the endpoint, each part of it quoted, and parameters."""

    path: str
    query: tuple[tuple[str, str], ...] = ()


class Dialect(Protocol):
    """How one kind of service is asked, and what its answers say.

    All methods that read an answer raise MalformedResponseError for one that has another form.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What the service can be asked for besides a job."""
        ...

    @property
    def rules(self) -> ErrorRules:
        """What its errors say beyond the status of HTTP."""
        ...

    def job(self, job_id: str) -> Question:
        """Ask for a job."""
        ...

    def page(self, cursor: str | None, metadata: Mapping[str, str]) -> Question:
        """Ask for a page of the list: the first one, or the one that a cursor leads to.

        Of the jobs with this metadata only, which is empty where the capabilities do not say that the service filters.
        """
        ...

    def read_job(self, answer: Answer, key: JobKey, context: SourceContext) -> Observation:
        """Read the answer about a job, which must be the one asked for."""
        ...

    def read_page(self, answer: Answer, cursor: str | None) -> Page:
        """Read a page, which must not lead back to where it was to begin."""
        ...


@runtime_checkable
class TellsEvents(Protocol):
    """What a dialect has besides where the service keeps events of its jobs, as its capabilities say."""

    def events(self, job_id: str, cursor: str | None) -> Question | None:
        """Ask for what is new of a job since the page that gave this cursor; None for a job that has no events."""
        ...

    def read_events(self, answer: Answer, cursor: str | None) -> EventPage:
        """Read what is new of a job; its cursor must not be the one given where it says that there is more."""
        ...


def quoted(job_id: str) -> str:
    """Return the id as one segment of a path. Raises ConfigurationError for what can be no id."""
    if not is_job_id(job_id):
        raise ConfigurationError(f"not a job id: expected {ID_RULE}")
    return quote(job_id, safe="")


def _no_events() -> EventPage:
    from watcher.domain.telemetry import EventPage

    return EventPage()


def digest(body: bytes, status: str = "") -> bytes:
    """Return a digest of a body, and of the status it says: keeping the body itself would take memory."""
    return hashlib.blake2b(status.encode("utf-8", "surrogatepass") + body, digest_size=16).digest()


@lru_cache(maxsize=256)
def _status_alone(status: str) -> ListedJob:
    """Return the same object for the thousands of jobs that share a status."""
    return ListedJob(status)


@dataclass(slots=True)
class _CachedPage:
    """What is remembered of a page of the list."""

    request: Request
    digest: bytes = b""
    page: Page | None = None


class HttpSource:
    """A source: see `Source`. It remembers the request and the last answer of each job and of each page."""

    def __init__(
        self,
        endpoint: Endpoint,
        dialect: Dialect,
        context: SourceContext,
        *,
        pages_kept: int = PAGES_KEPT,
        read_webhook: ReadWebhook | None = None,
    ) -> None:
        """`read_webhook` checks and reads what the service posts.

        Raises ConfigurationError for bad certificates, and for a URL of a host that cannot be.
        """
        self.name = context.name
        self.capabilities = dialect.capabilities
        """What it can be asked for besides a job."""
        self.read_webhook = read_webhook
        """See `TakesWebhooks`."""
        self._dialect = dialect
        self._context = context
        self._client = SourceClient(endpoint, context, dialect.rules)
        self._requests: dict[str, Request] = {}
        self._last: dict[str, bytes] = {}
        """The digest of the last body of each job, with the status it said."""
        self._pages_kept = pages_kept
        self._pages: dict[tuple[str | None, frozenset[tuple[str, str]]], _CachedPage] = {}
        """By cursor and metadata; the one asked for last stands last."""

    async def __aenter__(self) -> Self:
        """Open the connections."""
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the connections, and forget what was remembered: what refers to the source may outlive it."""
        await self._client.__aexit__(*exc_info)
        for remembered in (self._requests, self._last, self._pages):
            remembered.clear()

    async def retrieve(self, job_id: str, known: str | None = None) -> Observation | None:
        """Ask for the job: see `Source`."""
        request = self._requests.get(job_id)
        if request is None:
            request = self._requests[job_id] = self._request(self._dialect.job(job_id))
        return await self._client.ask(request, partial(self._read_job, job_id, known), job=job_id)

    async def page(self, cursor: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        """Ask for a page of the list of jobs: see `Source`. One that says what it said last is the same object."""
        key = cursor, frozenset(metadata.items())
        cached = self._pages.pop(key, None)
        if cached is None:
            cached = _CachedPage(self._request(self._dialect.page(cursor, metadata)))
        self._pages[key] = cached
        page = await self._client.ask(cached.request, partial(self._read_page, cursor, cached), after=cursor)
        self._forget_pages()
        return page

    async def events(self, job_id: str, cursor: str | None = None, /) -> EventPage:
        """Ask for what is new of the job: see `Source`."""
        teller = self._dialect
        if not isinstance(teller, TellsEvents) or (question := teller.events(job_id, cursor)) is None:
            return _no_events()
        read = partial(self._read_events, teller, job_id, cursor)
        return await self._client.ask(self._request(question), read, job=job_id)

    def forget(self, job_id: str) -> None:
        """Drop what is remembered of a job that is no longer polled."""
        self._requests.pop(job_id, None)
        self._last.pop(job_id, None)

    def _forget_pages(self) -> None:
        """Drop the pages that were not asked for lately, when there are too many, or too many jobs on them."""
        held = sum(len(each.page.jobs) for each in self._pages.values() if each.page)
        while len(self._pages) > self._pages_kept or held > ENTRIES_KEPT:
            oldest = self._pages.pop(next(iter(self._pages)))
            held -= len(oldest.page.jobs) if oldest.page else 0

    def _request(self, question: Question) -> Request:
        return self._client.request(question.path, question.query)

    def _read_job(self, job_id: str, known: str | None, answer: Answer) -> Observation | None:
        if known is not None and self._last.get(job_id) == digest(answer.body, known):
            self._note("poll answered, nothing new", answer, job=job_id)
            return None
        observation = self._dialect.read_job(answer, JobKey(self.name, job_id), self._context)
        word = self._context.event_word(observation.status, observation.state)
        if observation.event_word is None and word != observation.status:
            observation = replace(observation, event_word=word)
        observation = self._as_shared(observation)
        self._note("poll answered", answer, job=job_id, status=observation.status)
        self._last[job_id] = digest(answer.body, observation.status)
        return observation

    def _as_shared(self, observation: Observation) -> Observation:
        """Return the observation with what of it may be told to others."""
        if self._context.shows_addresses:
            return replace(observation, shows_addresses=True)
        facts, private = observation.facts.shared(), self._context.private_fields
        if facts is observation.facts and not private:
            return observation
        return replace(observation, facts=facts, private_fields=private)

    def _read_page(self, cursor: str | None, cached: _CachedPage, answer: Answer) -> Page:
        mark = digest(answer.body)
        if cached.page is None or cached.digest != mark:
            cached.page = self._as_wanted(self._dialect.read_page(answer, cursor))
            cached.digest = mark
        self._note("page answered", answer, after=cursor, jobs=len(cached.page.jobs))
        return cached.page

    def _as_wanted(self, page: Page) -> Page:
        """Return the page with what is wanted of its jobs: all that it says would take five times the memory."""
        if self._context.matches_jobs:
            return page
        return replace(page, jobs={job_id: _status_alone(job.status) for job_id, job in page.jobs.items()})

    def _read_events(self, teller: TellsEvents, job_id: str, cursor: str | None, answer: Answer) -> EventPage:
        page = teller.read_events(answer, cursor)
        self._note("look at events answered", answer, job=job_id, done=page.progress and page.progress.done)
        return page

    def _note(self, event: str, answer: Answer, **about: object) -> None:
        request_id = request_id_of(answer, self._dialect.rules)
        self._context.log.debug(event, source=self.name, **about, request_id=request_id)
