"""What a simulated API does: its jobs, the steps they go through, and what goes wrong on the way.

`script_file` reads such a script from a TOML file; tests build the same values in Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from watcher.domain.states import Status

DEFAULT_MODEL = "gpt-4o-mini-2024-07-18"
BIG_BODY_BYTES = 5 * 1024 * 1024
"""The size of an oversized body, unless a script says otherwise: more than the watcher accepts."""


class Method(StrEnum):
    """How a job trains."""

    SUPERVISED = "supervised"
    DPO = "dpo"
    REINFORCEMENT = "reinforcement"


class Training(StrEnum):
    """How well a job trains."""

    CONVERGES = "converges"
    """The losses fall to the end."""
    DIVERGES = "diverges"
    """They fall at first, and climb from there on."""
    STALLS = "stalls"
    """They fall at first, and then no further step is made."""


class Grader(StrEnum):
    """What marks the answers of a reinforcement job."""

    STRING_CHECK = "string_check"
    TEXT_SIMILARITY = "text_similarity"
    PYTHON = "python"
    SCORE_MODEL = "score_model"
    MULTI = "multi"


class Endpoint(StrEnum):
    """What the API can be asked for."""

    RETRIEVE = "retrieve"
    """A job."""
    LIST = "list"
    """The jobs, page by page. A page counts as an answer for each job whose status it says."""
    EVENTS = "events"
    """What happened to a job."""


class DialectName(StrEnum):
    """Whose API is simulated."""

    OPENAI = "openai"
    AZURE = "azure"
    TOGETHER = "together"
    FIREWORKS = "fireworks"
    VERTEX = "vertex"
    BEDROCK = "bedrock"
    REPLICATE = "replicate"
    HUGGINGFACE = "huggingface"
    MISTRAL = "mistral"
    LOCALAI = "localai"


class FaultKind(StrEnum):
    """What goes wrong with a request."""

    STATUS = "status"
    """An answer with another status code."""
    HANG = "hang"
    """No answer, ever."""
    RESET = "reset"
    """The connection is reset instead of an answer."""
    RESET_MID_BODY = "reset_mid_body"
    """The connection is reset after half of the body."""
    DRIP = "drip"
    """The answer comes byte by byte."""
    MALFORMED = "malformed"
    """An HTML page with status 200."""
    TRUNCATED_JSON = "truncated_json"
    """A complete HTTP answer whose JSON ends half-way."""
    WRONG_ID = "wrong_id"
    """The object of another job; on a page, the first entry is."""
    NO_STATUS = "no_status"
    """A job object without its status; on a page, the first entry is."""
    OVERSIZED = "oversized"
    """A body of `size` bytes."""
    REDIRECT = "redirect"
    """A redirect, to somewhere else on the same server."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong, and when. With neither `at` nor `before` it happens at once.

    A fault of a job meets the requests for it and for its events; no page of the list is a request for a job.
    """

    kind: FaultKind = FaultKind.STATUS
    times: int | None = 1
    """How many requests it spoils; None for all from then on."""
    at: int | None = None
    """The request it begins with, from 1: of the job, or of the server for a fault of all jobs; to the endpoint."""
    before: str | None = None
    """It comes before the first answer that would say this status."""
    endpoint: Endpoint | None = None
    """The requests it is for; None for all."""
    status_code: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    error: Mapping[str, Any] | None = None
    """The error object of the body, when no `body` is given."""
    size: int = BIG_BODY_BYTES
    pause: timedelta = timedelta(milliseconds=200)
    """The pause before each byte of a drip."""


@dataclass(frozen=True, slots=True)
class Step:
    """A status that a job has for some time. With neither bound it stays so."""

    status: str
    lasts: timedelta | None = None
    """How long, by the simulator's clock."""
    polls: int | None = None
    """After how many answers that said so the job moves on."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the job object that have another value than usual during this step."""


@dataclass(frozen=True, slots=True)
class JobScript:
    """A job and its life."""

    id: str
    steps: tuple[Step, ...] = (Step(Status.VALIDATING_FILES),)
    faults: tuple[Fault, ...] = ()
    method: Method = Method.SUPERVISED
    grader: Grader = Grader.STRING_CHECK
    training: Training = Training.CONVERGES
    model: str = DEFAULT_MODEL
    suffix: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    """Why it fails, when it fails."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the job object that have another value than usual."""


@dataclass(frozen=True, slots=True)
class Script:
    """What the simulated API does."""

    jobs: tuple[JobScript, ...] = ()
    faults: tuple[Fault, ...] = ()
    """Faults that are not of one job."""
    api_key: str | None = None
    """The only key that is accepted; None accepts every key."""
    latency: timedelta | None = None
    """How long each answer takes, in real time."""
    endpoints: frozenset[Endpoint] = frozenset(Endpoint)
    """What it can be asked for: some services know neither the list nor events."""
    dialect: DialectName = DialectName.OPENAI
    """Whose API it is. The steps of jobs may be OpenAI's six statuses in any dialect, or words of the service."""
