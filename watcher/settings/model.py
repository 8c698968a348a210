"""What can be set: the sections, their keys and defaults, and what a value must be."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import platformdirs
from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    SecretStr,
    SerializeAsAny,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from watcher.domain.conditions import STUCK_AFTER
from watcher.domain.jobs import ID_RULE, Status, is_job_id
from watcher.domain.routing import Events, FirstSeen
from watcher.fields import Duration, Mistake, Section, expected
from watcher.logs import Format, Level
from watcher.mistakes import nearest
from watcher.sources.environment import (
    DEFAULT_BASE_URL,
    DEFAULT_SOURCE,
    DEFAULT_TIMEOUT,
    Auth,
    is_base_url,
    is_header_text,
)

NAME_RULE = "a name of 1 to 64 of the characters a-z 0-9 _ -"
_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_STORE_URL = re.compile(r"sqlite:///(?!:memory:).+|postgresql://.+")
_LONGEST_NAME = 200


def is_name(text: str) -> bool:
    """Tell whether `text` can name a source or a notifier; variables of the environment know no capitals."""
    return _NAME.fullmatch(text) is not None


def _check_name(name: str) -> str:
    if not is_name(name):
        raise expected(NAME_RULE)
    return name


def _check_job_id(job_id: str) -> str:
    if not is_job_id(job_id):
        raise expected(f"a job id: {ID_RULE}")
    return job_id


def _check_base_url(url: str) -> str:
    if not is_base_url(url):
        raise expected(f"an http:// or https:// URL such as {DEFAULT_BASE_URL}, without user, query or fragment")
    return url.rstrip("/")


def _check_header(text: str) -> str:
    if not text or not is_header_text(text):
        raise expected("printable ASCII without spaces")
    return text


def _check_key(key: SecretStr) -> SecretStr:
    _check_header(key.get_secret_value())
    return key


def _check_store_url(url: SecretStr) -> SecretStr:
    if not _STORE_URL.fullmatch(url.get_secret_value()):
        raise expected("sqlite:////path/of/file.db or postgresql://user:password@host/database")
    return url


def _check_heartbeat(url: SecretStr) -> SecretStr:
    if not is_base_url(url.get_secret_value()):
        raise expected("an http:// or https:// URL, without user, query or fragment")
    return url


def _check_status(status: str) -> str:
    # Any status may come from some service, but one that is nearly one of the six is a typing error.
    if status in set(Status):
        return status
    if near := nearest(status, Status):
        raise expected(f"a status; did you mean {near!r}?")
    if not status:
        raise expected("a status")
    return status


def _check_statuses(statuses: list[str]) -> list[str]:
    if not statuses:
        raise expected("at least one status; leave it out for every status")
    return statuses


Name = Annotated[str, AfterValidator(_check_name)]
HeaderText = Annotated[str, AfterValidator(_check_header)]
Labels = dict[str, str]
StatusName = Annotated[
    str, AfterValidator(_check_status), WithJsonSchema({"anyOf": [{"enum": list(Status)}, {"type": "string"}]})
]


class SourceSettings(Section):
    """Where jobs live, and how to ask for them."""

    base_url: Annotated[str, AfterValidator(_check_base_url)] = DEFAULT_BASE_URL
    """Where the API is. Requests go to `{base_url}/fine_tuning/jobs/{id}`."""
    api_key: Annotated[SecretStr, AfterValidator(_check_key)] | None = None
    """The key. Better by `api_key_file` or the environment than in the file itself."""
    organization: HeaderText | None = None
    """Sent as `OpenAI-Organization`."""
    project: HeaderText | None = None
    """Sent as `OpenAI-Project`."""
    auth: Auth = "bearer"
    """How the key is sent: `bearer` (Authorization: Bearer …) or `api-key` (Azure's header)."""
    api_version: HeaderText | None = None
    """Azure's `api-version` query parameter, for its older endpoints."""
    timeout: Duration = DEFAULT_TIMEOUT
    """How long an answer may take."""
    client_cert_file: Path | None = None
    """A client certificate (PEM), for services that ask for one."""
    client_key_file: Path | None = None
    """The key of the client certificate, if it is not in the same file."""

    @field_validator("client_key_file")
    @classmethod
    def _check_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if key and info.data.get("client_cert_file", ...) is None:
            raise PydanticCustomError("mistake", "given without client_cert_file")
        return key


class PollingSettings(Section):
    """How often to look."""

    interval: Duration = Field(default="30s", validate_default=True)
    """How often each job is polled."""


class StoreSettings(Section):
    """Where jobs, transitions and deliveries are recorded."""

    url: Annotated[SecretStr, AfterValidator(_check_store_url)] | None = None
    """`sqlite:////absolute/path.db` or `postgresql://user@host/database`. Default: a SQLite file in
    `$STATE_DIRECTORY` (systemd), else in the user's state directory."""
    retention: Duration = Field(default="90d", validate_default=True)
    """How long the record keeps jobs that have ended, and deliveries that are settled."""

    def resolved_url(self) -> str:
        """Return the URL, or the default one."""
        if self.url:
            return self.url.get_secret_value()
        given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
        directory = Path(given) if given else platformdirs.user_state_path("watcher", appauthor=False)
        return f"sqlite:///{directory / 'watcher.db'}"


class JobSettings(Section):
    """A job to watch."""

    id: Annotated[str, AfterValidator(_check_job_id)]
    """The job's id at its source."""
    source: Name = DEFAULT_SOURCE
    """The name of the source it lives at."""
    name: Annotated[str, Field(max_length=_LONGEST_NAME)] | None = None
    """What people call it."""
    labels: Labels = Field(default_factory=dict)
    """For notifiers to choose by, and for receivers to see."""


class NotifierSettings(Section):
    """What every notifier has, whatever its kind; the kind adds its own settings."""

    kind: str
    """Which plugin delivers: `stdout`, `webhook`, `slack`, or an installed one."""
    statuses: Annotated[list[StatusName], AfterValidator(_check_statuses)] | None = None
    """The statuses it wants to hear of. Default: every one."""
    labels: Labels = Field(default_factory=dict)
    """The labels a job must have for it to hear of it."""
    first_seen: FirstSeen = FirstSeen.TERMINAL
    """Which first sights of a job it wants: those of a job that has ended (`terminal`), `always`, or `never`."""
    events: Annotated[frozenset[Events], PlainSerializer(sorted, return_type=list[str])] = Field(
        default=frozenset(Events), min_length=1
    )
    """What it wants to hear of: the transitions of jobs (`jobs`), what the watcher says of itself (`watcher`)."""


class SupervisionSettings(Section):
    """When the watcher tells of what does not change."""

    stuck_after: dict[StatusName, Duration] = Field(default_factory=lambda: dict(STUCK_AFTER))
    """How long a job may stay in a status before that is told, and told again each day. Statuses that are not listed
    may last for ever."""


class HttpSettings(Section):
    """The server for probes, metrics and the state of things. Off unless `listen` is set."""

    listen: str | None = None
    """`127.0.0.1:8321`, or `unix:/run/watcher/http.sock`. Anything but loopback or a socket file needs a token."""
    token: Annotated[SecretStr, AfterValidator(_check_key)] | None = None
    """Guards everything but `/livez` and `/readyz`; changing what is watched always needs it."""


class HeartbeatSettings(Section):
    """A dead man's switch: somebody who notices when the watcher is silent."""

    url: Annotated[SecretStr, AfterValidator(_check_heartbeat)] | None = None
    """Asked for every minute while all is well; with `/fail` behind it while it is not."""


class LogSettings(Section):
    """What is logged to standard error."""

    level: Level = "info"
    """How much."""
    format: Format = "auto"
    """`json`, `console`, or `auto`: console on a terminal, JSON elsewhere."""


class Settings(Section):
    """Everything that can be set."""

    sources: dict[Name, SourceSettings] = Field(default_factory=dict)
    """Where jobs live, by name. `openai` is always there and takes the `OPENAI_*` variables."""
    polling: PollingSettings = Field(default_factory=PollingSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    jobs: tuple[JobSettings, ...] = ()
    """What to watch, besides what `watcher jobs add` adds."""
    notifiers: dict[Name, SerializeAsAny[NotifierSettings]] = Field(default_factory=dict)
    """Who is told, by name."""
    supervision: SupervisionSettings = Field(default_factory=SupervisionSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)
    heartbeat: HeartbeatSettings = Field(default_factory=HeartbeatSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add the default source, and mark jobs that are listed twice or live nowhere."""
        sources, jobs = given.get("sources", {}), given.get("jobs", ())
        if isinstance(sources, Mapping):
            sources = {DEFAULT_SOURCE: {}, **sources}
            jobs = _marked(jobs, list(sources)) if isinstance(jobs, list | tuple) else jobs
        return {**given, "sources": sources, "jobs": jobs}


def _marked(jobs: Sequence[Any], sources: Sequence[str]) -> list[Any]:
    """Put a mistake in the place of a source that is not there, and of an id that was there before."""
    marked: list[Any] = []
    seen: set[tuple[str, str]] = set()
    for job in jobs:
        wrong: dict[str, Mistake] = {}
        if isinstance(job, Mapping):
            source, job_id = str(job.get("source", DEFAULT_SOURCE)), str(job.get("id", ""))
            if source not in sources:
                wrong["source"] = Mistake(f"no source is named {source!r}; there are: {', '.join(sorted(sources))}")
            if (source, job_id) in seen and is_job_id(job_id):
                wrong["id"] = Mistake(f"{source}/{job_id} is listed twice")
            seen.add((source, job_id))
        marked.append({**job, **wrong} if wrong else job)
    return marked
