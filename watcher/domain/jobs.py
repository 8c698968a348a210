"""Watched jobs, and what one look at a job says."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from watcher.domain.states import PATH, JobState
from watcher.domain.text import HALVES, UNSAFE, is_printable
from watcher.redaction import shareable

if TYPE_CHECKING:
    # `watch` loads it only where it is asked for.
    from watcher.domain.telemetry import Milestone

LONGEST_ID = 1024
ID_PATTERN = rf"(?!(.*[/\\])?\.{{1,2}}([/\\]|$))[!-~]{{1,{LONGEST_ID}}}"
SOURCE_NAME_PATTERN = "[a-z0-9_-]{1,64}"
_ID = re.compile(ID_PATTERN)
_USUAL_ID = re.compile("[A-Za-z0-9_-]{1,128}")
"""Most ids look so; this is found out in a third of the time."""
_SOURCE_NAME = re.compile(SOURCE_NAME_PATTERN)

ID_RULE = f"1 to {LONGEST_ID:,} printable ASCII characters without spaces (and no part of it '.' or '..')"
"""What `is_job_id` accepts, for error messages."""
SOURCE_NAME_RULE = "a name of 1 to 64 of the characters a-z 0-9 _ -"
"""What `is_source_name` accepts, for error messages."""


LONGEST_TEXT = 200
TEXT_RULE = f"1 to {LONGEST_TEXT} characters, none of them a control character"
"""What `is_plain` accepts, for error messages."""
TEXT_PATTERN = f"^[^{UNSAFE.replace(HALVES, '')}]*$"
"""The same as a regular expression, besides the length: no character that drives a terminal, reorders or hides text."""


def is_job_id(text: str) -> bool:
    """Return whether `text` can be a job's id: opaque text of a service, such as a word, base64 or a resource name.

    Quoted, it is one segment of a path, and even a service that unquotes too early finds no way up in it.
    """
    return (_USUAL_ID.fullmatch(text) or _ID.fullmatch(text)) is not None


def is_source_name(text: str) -> bool:
    """Return whether `text` can name a source; variables of the environment know no capitals."""
    return _SOURCE_NAME.fullmatch(text) is not None


def split_reference(text: str) -> tuple[str | None, str]:
    """Split `SOURCE/ID` at its first slash; what stands before it in `ID` alone, such as an ARN, can name no source.

    Raises ValueError that says what is expected.
    """
    source, slash, job_id = text.partition("/")
    if not slash or not is_source_name(source):
        source, job_id = "", text
    if not is_job_id(job_id) or text.startswith("/"):
        raise ValueError(f"ID or SOURCE/ID, where an ID has {ID_RULE}, and a SOURCE is {SOURCE_NAME_RULE}")
    return source or None, job_id


def is_plain(text: str) -> bool:
    """Return whether `text` can be a job's name, or the name or value of a label."""
    return 0 < len(text) <= LONGEST_TEXT and is_printable(text)


def label_of(text: str) -> tuple[str, str] | None:
    """Split `NAME=VALUE`; return None for what is no label."""
    name, equals, value = text.partition("=")
    return (name, value) if equals and is_plain(name) and is_plain(value) else None


class JobKey(NamedTuple):
    """A job's name in the world: the source it lives at, and its id there.

    A tuple: it is hashed and compared eight times a poll, which those in Python do in a fifth of the time.
    """

    source: str
    id: str

    def __str__(self) -> str:
        """Return `source/id`, as logs and commands show it."""
        return f"{self.source}/{self.id}"


NO_LABELS: Mapping[str, str] = MappingProxyType({})
"""The labels of the thousands of jobs that have none: one object for all of them."""

CONFIG, COMMAND, API = "config", "command", "api"
"""Origins of jobs: who wants them watched. The others are rules of discovery, `rule:NAME`."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job that is to be watched."""

    key: JobKey
    name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def completed(spec: JobSpec, known: Job | None) -> JobSpec:
    """Return the wish with the name and the labels that it does not give taken from what is known of the job."""
    if known is None:
        return spec
    return replace(spec, name=spec.name or known.name, labels={**known.labels, **spec.labels})


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed, in the API's own words."""

    code: str | None = None
    message: str | None = None
    param: str | None = None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class JobFacts:
    """The parts of a job object that messages speak of; None where the API said nothing usable."""

    model: str | None = None
    fine_tuned_model: str | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None
    estimated_finish: datetime | None = None
    trained_tokens: int | None = None
    error: JobError | None = None
    suffix: str | None = None
    """What the user wanted the result's name to end with: a name for the job where people gave none."""
    page_url: str | None = None
    """The job's page at its service, for people."""
    more: tuple[tuple[str, str], ...] = ()
    """What people also want to know, each with what it is called."""

    def shared(self) -> JobFacts:
        """Return them as they may be told to others: see `shareable`."""
        if self.error is None or not self.error.message:
            return self
        return replace(self, error=replace(self.error, message=shareable(self.error.message)))


class ProgressUnit(StrEnum):
    """What a service counts to say how far a job has come."""

    STEPS = "steps"
    PERCENT = "percent"
    REQUESTS = "requests"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running job has come."""

    done: int
    total: int | None
    """None where the service does not say how much there is to do."""
    at: datetime
    """When that was so: the time of the service's event, or of the observation."""
    unit: ProgressUnit = ProgressUnit.STEPS


@dataclass(frozen=True, slots=True)
class Observation:
    """What one retrieve said of a job at one moment."""

    key: JobKey
    status: str
    """The word of the service, as it stands."""
    state: JobState
    """What it means, by the state map of the source."""
    at: datetime
    facts: JobFacts
    document: str
    """The job object exactly as the API gave it: JSON text."""
    event_word: str | None = None
    """The word for the type of an event, or the whole type, where it is not the status: see `Transition`."""
    path: tuple[JobState, ...] = PATH
    """The states that such a job passes in order before it ends: others are neither skipped nor steps back."""
    progress: Progress | None = None
    """How far the job has come, where the job object says so; None where only events say it."""
    private_fields: Collection[str] = ()
    """The names of the fields of the document that are neither sent to notifiers nor recorded."""
    shows_addresses: bool = False
    """Whether e-mail addresses and signed URLs in the document may be sent to notifiers and recorded."""
    milestones: tuple[Milestone, ...] = ()
    """The states that the job entered, where the job object says when."""


NO_METADATA: Mapping[str, str] = MappingProxyType({})


class ListedJob(NamedTuple):
    """What a list says of a job; None where it said nothing usable. A tuple: pages hold tens of thousands of them."""

    status: str
    """The word of the service, as it stands."""
    created_at: datetime | None = None
    """Aware."""
    model: str | None = None
    """The model that is tuned."""
    name: str | None = None
    """What people called it at its service: a suffix, a display name."""
    metadata: Mapping[str, str] = NO_METADATA
    """What people attached to it at its service, which may call this labels."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list of a source's jobs."""

    jobs: Mapping[str, ListedJob]
    """By id, in the order of the list."""
    after: str | None
    """What to ask for the next page with: the last id of this one, a token or what else the service uses. None
    when this was the last page."""
    next_part: str | None = None
    """What to ask for the first page of the service's next list with, where it has several that lead on to each other:
    each of them is ordered by itself. None in the last one."""


class Basis(StrEnum):
    """What a forecast rests on."""

    ESTIMATED_FINISH = "estimated_finish"
    """The API's own estimate."""
    PROGRESS = "progress"
    """The steps that the job has done, of those it has to do."""
    HISTORY = "history"
    """How long earlier jobs of the source were in this status."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a job's present status is expected to end."""

    at: datetime | None
    """None: that was looked into, and nothing can be said."""
    basis: Basis
    made_at: datetime


class Job(NamedTuple):
    """A watched job, as last recorded.

    A tuple: one is made each time that a job is looked at, which takes a third of what a frozen dataclass takes.
    """

    key: JobKey
    name: str | None = None
    labels: Mapping[str, str] = NO_LABELS
    status: str | None = None
    """The status of the last recorded transition; None before the first sight."""
    state: JobState | None = None
    """What that status means; None before the first sight."""
    seq: int = 0
    """The number of the last recorded transition, and so the version of this state."""
    status_since: datetime | None = None
    """When the present status was first observed."""
    is_since_exact: bool = True
    """Whether the status was seen to begin. It was not if the job was first seen in it."""
    due_at: datetime | None = None
    """When to poll next; None for a job that is no longer polled."""
    failures: int = 0
    """Failed polls since the last answer."""
    missing: int = 0
    """404 answers since the last answer that knew the job."""
    last_error: str | None = None
    """What the last poll complained of; None after an answer."""
    forecast: Forecast | None = None
    """When the present status is expected to end; None while that is not known."""
    facts: JobFacts | None = None
    """What the last observation said; None before the first sight."""

    @property
    def title(self) -> str:
        """The name people gave the job, else the suffix of its result, else its id."""
        return self.name or (self.facts and self.facts.suffix) or self.key.id
