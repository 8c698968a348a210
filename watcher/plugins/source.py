"""What a source plugin is: the settings it takes, how a source is built from them, and what a source does.

A plugin is an entry point in the group `watcher.sources`: its name is the `kind` that the settings use, its value an
instance of `SourcePlugin`:

    plugin = SourcePlugin(Config, build, StateMap({"RUNNING": JobState.RUNNING, "DONE": JobState.SUCCEEDED}))
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar, runtime_checkable

from watcher.domain.jobs import ID_RULE, NO_METADATA, Observation, Page, is_job_id
from watcher.domain.states import JobState, StateMap, documented_word, is_openais_word
from watcher.plugins.context import Clock, Log

if TYPE_CHECKING:
    # The engine takes its port from here, and does not know pydantic.
    from watcher.domain.telemetry import EventPage
    from watcher.plugins.section import Section

ENTRY_POINT_GROUP = "watcher.sources"
DEFAULT_KIND = "openai"
"""The kind of a source that does not say its kind."""
DEFAULT_SOURCE = "openai"
"""The source of a job that names none, and the one source that is always there."""
DEFAULT_TIMEOUT = timedelta(seconds=15)
"""How long an answer may take."""
CONCURRENT_REQUESTS = 128
"""Requests in flight at one source. At an API that takes 100 ms, this is about what one core can do."""

C = TypeVar("C", bound="Section")

EventWord = Callable[[str, JobState], str]
"""Returns the word that a status in a state gives to the type of its event, `fine_tuning.job.<word>`."""


class ListOrder(StrEnum):
    """In which order a service lists its jobs."""

    NEWEST_FIRST = "newest first"
    """A page begins behind the same job for as long as that job exists; new jobs come on top."""
    IN_PARTS = "newest first, in parts"
    """Several lists, each newest first, that lead on to each other; a page names the beginning of the next list."""
    UNKNOWN = "unknown"
    """It may be found out from the list itself."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a source can be asked for besides a job."""

    lists: bool = True
    """Whether `page` may be called."""
    order: ListOrder = ListOrder.UNKNOWN
    page_size: int | None = None
    """How many jobs a page holds at most; None: one page holds all of them."""
    filters: bool = False
    """Whether `page` can ask for the jobs with certain metadata only."""
    events: bool = False
    """Whether `events` may be called."""
    metrics: bool = False
    """Whether the service keeps losses and the like of a job, step by step."""
    checkpoints: bool = False
    """Whether the service keeps what it saved of a job on the way."""
    webhooks: bool = False
    """Whether the service can send webhooks."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """What a service has sent by itself, known to be from it. It is a reason to ask for the job, and no news itself."""

    id: str
    """The same at each attempt to deliver it."""
    job_id: str | None = None
    """The job that it tells of; None: it tells of something that is not watched here."""


ReadWebhook = Callable[[Mapping[str, str], bytes], Webhook]
"""Checks and reads a webhook, by its headers, whose names are in lower case, and its body. Raises WebhookError."""


class Source(Protocol):
    """A service that runs jobs. Entered, it may be asked; every question may raise SourceError."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can be asked for besides a job."""
        ...

    async def __aenter__(self) -> Self:
        """Open what it needs. Raises ConfigurationError."""
        ...

    async def __aexit__(self, *exc_info: object) -> None:
        """Close what it opened."""
        ...

    async def retrieve(self, job_id: str, known: str | None = None) -> Observation | None:
        """Ask for the job.

        Returns None when the answer is, to the byte, the last one for this job, and that one said the status
        `known`: there is nothing new. Raises SourceError.
        """
        ...

    async def page(self, cursor: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        """Ask for a page of the list of jobs: the first one, or the one that a page's `after` leads to.

        Metadata asks only for the jobs that have it, and is given only where the source filters. Raises SourceError.
        """
        ...

    async def events(self, job_id: str, cursor: str | None = None, /) -> EventPage:
        """Ask for what is new of the job: events, metric points, checkpoints, how far it has come.

        Without a cursor the page holds the newest there is; with the cursor of a page, only what is new since, or what
        that page left out. Asked only where the capabilities say so. Raises SourceError.
        """
        ...

    def forget(self, job_id: str) -> None:
        """Drop what is remembered of a job that is no longer polled."""
        ...


@runtime_checkable
class TakesWebhooks(Protocol):
    """What a source may have besides, whose service tells by itself what has happened to its jobs."""

    @property
    def read_webhook(self) -> ReadWebhook | None:
        """Checks and reads what was posted for the source; None where no secret says how to check it."""
        ...


def own_words(status: str, state: JobState) -> str:
    """Name an event by the status where that is a word of OpenAI's or not known, else by the state.

    For services that answer at OpenAI's paths, some of them in words of their own.
    """
    return status if state is JobState.UNKNOWN or is_openais_word(status) else documented_word(state)


def documented_words(status: str, state: JobState) -> str:  # noqa: ARG001 - a rule for the type of an event
    """Name an event by the state, in the words that OpenAI documents: a receiver needs to know no others."""
    return documented_word(state)


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What the watcher gives a source to work with."""

    name: str
    """The source's name in the settings."""
    clock: Clock
    log: Log
    timeout: timedelta = DEFAULT_TIMEOUT
    """How long an answer may take."""
    concurrency: int = CONCURRENT_REQUESTS
    """Requests in flight at most."""
    turn: Callable[[], Awaitable[None]] | None = None
    """To be awaited before each request: keeps to the rate limit. None: a request may always be sent."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits so many seconds before another attempt."""
    hide_secret: Callable[[str], None] = lambda _: None
    """To be told each key or token that the source begins to use, so that no log shows it."""
    event_word: EventWord = own_words
    """The rule of its kind: see `SourcePlugin.event_word`. Observations say the word where it is not the status."""
    private_fields: Collection[str] = ()
    """Those of its kind, unless the settings let them be told: see `SourcePlugin.private_fields`. Observations name
    them."""
    shows_addresses: bool = False
    """Whether e-mail addresses and signed URLs that stand elsewhere in what the service says may be told, such as in
    the reason of a failure."""
    matches_jobs: bool = True
    """Whether rules match what pages say of jobs. Else it is enough that they say each job's status."""


def any_id(job_id: str) -> str:
    """Accept any text that can be an id. Raises ValueError that says what is expected."""
    if not is_job_id(job_id):
        raise ValueError(f"a job id: {ID_RULE}")
    return job_id


def no_notice(config: object) -> None:
    """Say nothing of a service."""


@dataclass(frozen=True, slots=True)
class SourcePlugin(Generic[C]):
    """A kind of source."""

    config: type[C]
    """The settings of this kind; a field of type SecretStr gets its `_file` twin from `Section`."""
    build: Callable[[C, SourceContext], Source]
    """Makes a source from valid settings. It does no I/O. Raises ConfigurationError."""
    states: StateMap
    """What the statuses of the service mean; none are listed where the settings of a source say so: see `read_states`.
    """
    variables: Mapping[str, str] = field(default_factory=dict)
    """The variables of the environment that users of the service have already, and the settings that they give. They
    apply to the source that is named by its kind. Of two that give the same setting, the first prevails."""
    event_word: EventWord = documented_words
    """Which word a status in a state gives to the type of its event, `fine_tuning.job.<word>`."""
    notice: Callable[[C], str | None] = no_notice
    """What people who use the service should know, said at each start and by `config check`; None for nothing."""
    read_id: Callable[[str], str] = any_id
    """Checks an id as people give it, and shortens one that says more than is needed, such as a resource name. Raises
    ValueError that says what is expected."""
    private_fields: Collection[str] = ()
    """The names of fields of a job object, however deep, that are private: e-mail addresses,
    signed URLs, keys, training data. No notifier gets them, and the store does not keep them."""
    read_states: Callable[[C], StateMap] | None = None
    """What the statuses mean at a source with these settings, where the kind does not know."""

    def states_at(self, config: C) -> StateMap:
        """Return what the statuses mean at a source with these settings."""
        return self.read_states(config) if self.read_states else self.states
