"""What can be set: the sections, their keys and defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

import platformdirs
from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PlainSerializer,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from watcher.domain.conditions import STUCK_AFTER
from watcher.domain.jobs import is_job_id
from watcher.domain.polling_policy import LONGEST_INTERVAL
from watcher.domain.routing import Events, FirstSeen
from watcher.engine.polling.list_scan import Strategy
from watcher.logs import Format, Level
from watcher.plugins.section import Duration, Mistake, Section
from watcher.settings.values import (
    BaseUrl,
    HeaderText,
    HeartbeatUrl,
    HostName,
    JobId,
    JobName,
    Key,
    Labels,
    Name,
    Statuses,
    StatusName,
    StoreUrl,
    Timeout,
)
from watcher.sources.openai.config import DEFAULT_BASE_URL, DEFAULT_SOURCE, DEFAULT_TIMEOUT, Auth


class PollingMode(StrEnum):
    """How the wait between two polls is found."""

    ADAPTIVE = "adaptive"
    FIXED = "fixed"


class SourceSettings(Section):
    """Where jobs live, and how to ask for them."""

    base_url: BaseUrl = DEFAULT_BASE_URL
    """Where the API is. Requests go to `{base_url}/fine_tuning/jobs/{id}`."""
    api_key: Key | None = None
    """The key. Better by `api_key_file` or the environment than in the file itself."""
    organization: HeaderText | None = None
    """Sent as `OpenAI-Organization`."""
    project: HeaderText | None = None
    """Sent as `OpenAI-Project`."""
    auth: Auth = "bearer"
    """How the key is sent: `bearer` (Authorization: Bearer …) or `api-key` (Azure's header)."""
    api_version: HeaderText | None = None
    """Azure's `api-version` query parameter, for its older endpoints."""
    timeout: Timeout = DEFAULT_TIMEOUT
    """How long an answer may take, at most a minute."""
    strategy: Strategy = Strategy.AUTO
    """How the statuses of many jobs are asked for: by pages of the API's list where that spares requests (`auto`), one
    by one (`retrieve`), or by pages even for few jobs (`list`). What changed is retrieved in any case."""
    max_requests_per_minute: int | None = Field(default=None, ge=1, le=1_000_000)
    """A budget of requests that is never exceeded by one watcher; jobs closest to a likely change are served first.
    Replicas have one each."""
    progress: bool = False
    """Whether to look at the events of running jobs now and then, to know better when they end. Each look is a
    request."""
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
    """How often each job is polled, as long as nothing says when its status ends."""
    cadence: PollingMode = PollingMode.ADAPTIVE
    """Whether a job is polled more often when its status is about to end, and less often before that (`adaptive`), or
    always at the interval (`fixed`)."""
    max_interval: Duration | None = None
    """The longest wait between two polls of a job, also of one whose polls fail. Default: 5 minutes, or the interval
    if that is longer."""

    @field_validator("max_interval")
    @classmethod
    def _check_max_interval(cls, longest: timedelta | None, info: ValidationInfo) -> timedelta | None:
        if longest and longest < info.data.get("interval", longest):
            raise PydanticCustomError("mistake", "shorter than the interval")
        return longest

    def resolved_max_interval(self) -> timedelta:
        """Return the longest wait, or the default one."""
        return self.max_interval or max(LONGEST_INTERVAL, self.interval)


class StoreSettings(Section):
    """Where jobs, transitions and deliveries are recorded."""

    url: StoreUrl | None = None
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

    id: JobId
    """The job's id at its source."""
    source: Name = DEFAULT_SOURCE
    """The name of the source it lives at."""
    name: JobName | None = None
    """What people call it."""
    labels: Labels = Field(default_factory=dict)
    """For notifiers to choose by, and for receivers to see."""


class NotifierSettings(Section):
    """What every notifier has, whatever its kind; the kind adds its own settings."""

    kind: str
    """Which plugin delivers: `stdout`, `webhook`, `slack`, or an installed one."""
    statuses: Statuses | None = None
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
    token: Key | None = None
    """Guards everything but `/livez` and `/readyz`; changing what is watched always needs it."""
    allowed_hosts: tuple[HostName, ...] = ()
    """The names that requests may call this host by, such as `watcher.example.com`, besides `localhost`, addresses and
    the host of `listen`. Any other name is refused: it may be that of a web page, pointed at this host by its owner."""


class HeartbeatSettings(Section):
    """A dead man's switch: somebody who notices when the watcher is silent."""

    url: HeartbeatUrl | None = None
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

    _named_sources: frozenset[str] = frozenset()

    @property
    def named_sources(self) -> frozenset[str]:
        """The sources that the configuration or a variable names, and not those that are always there."""
        return self._named_sources

    @model_validator(mode="wrap")
    @classmethod
    def _complete(cls, given: Mapping[str, Any], handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Add the default source, and mark jobs that are listed twice or live nowhere."""
        sources, jobs, named = given.get("sources", {}), given.get("jobs", ()), frozenset[str]()
        if isinstance(sources, Mapping):
            named, sources = frozenset(sources), {DEFAULT_SOURCE: {}, **sources}
            jobs = _marked(jobs, list(sources)) if isinstance(jobs, list | tuple) else jobs
        settings = handler({**given, "sources": sources, "jobs": jobs})
        settings._named_sources = named  # noqa: SLF001 - its own
        return settings


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
