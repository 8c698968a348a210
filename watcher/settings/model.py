"""What can be set: the sections, their keys and defaults."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from watcher.domain.conditions import STUCK_AFTER
from watcher.domain.jobs import NO_LABELS, JobKey, JobSpec
from watcher.domain.routing import USUAL_EVENTS, Events, FirstSeen
from watcher.engine.polling.list_scan import Strategy
from watcher.errors import ConfigurationError
from watcher.logs import Format, Level
from watcher.plugins.section import Duration, Section
from watcher.plugins.source import DEFAULT_KIND, DEFAULT_SOURCE, DEFAULT_TIMEOUT
from watcher.plugins.values import BaseUrl, Key
from watcher.settings.list_entries import marked_jobs, marked_rules
from watcher.settings.message_templates import TemplateText
from watcher.settings.quiet_hours import QuietSettings, TimeOfDay, TimeZone
from watcher.settings.values import (
    BatchKey,
    BatchTime,
    HeartbeatUrl,
    HostName,
    JobId,
    JobName,
    Labels,
    Name,
    Pattern,
    ReminderTime,
    Statuses,
    StatusName,
    StoreUrl,
    Timeout,
    UserHeader,
)
from watcher.settings.watch_rules import WatchSettings
from watcher.store.address import sqlite_url


class PollingMode(StrEnum):
    """How the wait between two polls is found."""

    ADAPTIVE = "adaptive"
    FIXED = "fixed"


class SourceSettings(Section):
    """The settings of every kind of source; the kind adds its own."""

    kind: str = DEFAULT_KIND
    """What the service speaks: `openai`, `azure`, `together` or another kind that is installed. A source that is named
    like a kind has to say so, unless it has no settings at all."""
    timeout: Timeout = DEFAULT_TIMEOUT
    """How long an answer may take, at most a minute."""
    strategy: Strategy = Strategy.AUTO
    """How the statuses of many jobs are asked for: by pages of the API's list where that spares requests (`auto`), one
    by one (`retrieve`), or by pages even for few jobs (`list`). What changed is retrieved in any case."""
    max_requests_per_minute: int | None = Field(default=None, ge=1, le=1_000_000)
    """A budget of requests that is never exceeded by one watcher; jobs closest to a likely change are served first.
    Replicas have one each."""
    progress: bool = True
    """Whether to look at the events of running jobs, where the service has any, to know how far they are, when they
    end and how they train. The older a run, the less often it is looked at: after about 4, 6, 9 and 14 minutes, and so
    on. A look is a request, or up to ten where there is much new; looks take at most a tenth of
    `max_requests_per_minute`, else 300 requests a minute. Where a Slack bot shows the progress of jobs, up to 30 of
    them are looked at once a minute."""
    private_fields: bool = False
    """Whether events hold all that the service says of a job, also what its kind takes for private (people, keys,
    training data), and e-mail addresses and signed URLs wherever they stand."""
    interval: Duration | None = None
    """How often each of its jobs is polled. Default: `polling.interval`."""
    max_interval: Duration | None = None
    """The longest wait between two polls of one of its jobs. Default: `polling.max_interval`, or the interval if that
    is longer."""

    @field_validator("max_interval")
    @classmethod
    def _check_max_interval(cls, longest: timedelta | None, info: ValidationInfo) -> timedelta | None:
        return _not_shorter(longest, info.data.get("interval"))


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
        return _not_shorter(longest, info.data.get("interval"))


def _not_shorter(longest: timedelta | None, interval: timedelta | None) -> timedelta | None:
    if longest and interval and longest < interval:
        raise PydanticCustomError("mistake", "shorter than the interval")
    return longest


class StoreSettings(Section):
    """Where jobs, transitions and deliveries are recorded."""

    url: StoreUrl | None = None
    """`sqlite:////absolute/path.db` (with %3F for a ? in the path) or `postgresql://user@host/database`, with what
    libpq takes: several hosts, `sslmode`, `target_session_attrs`. Default: a SQLite file in
    `$STATE_DIRECTORY` (systemd), else in the user's state directory."""
    retention: Duration = Field(default="90d", validate_default=True)
    """How long the store keeps jobs that have ended, and deliveries that are settled."""
    metrics_retention: Duration = Field(default="30d", validate_default=True)
    """How long it keeps the metric points of a job that has ended, at most as long as the job: they take most of the
    room. The last value of each series stays with the job's end."""

    def resolved_url(self) -> str:
        """Return the URL, or the default one. Raises ConfigurationError where there is no place for a default."""
        if self.url:
            return self.url.get_secret_value()
        return sqlite_url(_state_directory() / "watcher.db")


def _state_directory() -> Path:
    given = os.environ.get("STATE_DIRECTORY", "")
    if given and not Path(given).is_dir():  # systemd names several directories with colons between them
        given = given.split(":")[0]
    if given:
        return Path(given)
    import platformdirs  # only where nothing says where the state is

    try:
        return platformdirs.user_state_path("watcher", appauthor=False)
    except RuntimeError:  # no HOME, and the user id has no entry
        raise ConfigurationError(
            "store.url: missing, and there is no home directory to put a database into: set store.url, or HOME"
        ) from None


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


def _as_meant(job: JobSettings) -> JobSpec:
    return JobSpec(JobKey(sys.intern(job.source), job.id), job.name, job.labels or NO_LABELS)


def _as_written(job: JobSpec) -> dict[str, Any]:
    given = {"id": job.key.id, "source": job.key.source, "name": job.name, "labels": dict(job.labels)}
    return {name: value for name, value in given.items() if value is not None}


if TYPE_CHECKING:
    WatchedJob = JobSpec
else:
    WatchedJob = Annotated[JobSettings, AfterValidator(_as_meant), PlainSerializer(_as_written)]
"""Read as `JobSettings`, kept as what it means, which is a third of the size: there may be ten thousand."""


class NotifierSettings(Section):
    """The settings of every kind of notifier; the kind adds its own."""

    kind: str
    """Which plugin delivers: `stdout`, `webhook`, `slack`, or an installed one."""
    statuses: Statuses | None = None
    """The statuses it wants to hear of. Default: every one."""
    labels: Labels = Field(default_factory=dict)
    """The labels a job must have for it to hear of it."""
    sources: tuple[Pattern, ...] = ()
    """The sources it wants to hear of, `azure-*` for all that begin so. Default: every one."""
    names: tuple[Pattern, ...] = ()
    """The names of jobs it wants to hear of, such as `support-*`; the id of one without a name. Default: every one."""
    first_seen: FirstSeen = FirstSeen.TERMINAL
    """Which first sights of a job it wants: those of a job that has ended (`terminal`), `always`, or `never`."""
    events: Annotated[frozenset[Events], PlainSerializer(sorted, return_type=list[str])] = Field(
        default=USUAL_EVENTS, min_length=1
    )
    """What it wants to hear of: the transitions of jobs (`jobs`), what the watcher says of itself (`watcher`), and how
    jobs train (`metrics`), which is told only where it is asked for."""
    batch: BatchTime | None = None
    """For how long an event waits for others: three or more become one message. Default: each is told at once."""
    batch_by: tuple[BatchKey, ...] = ()
    """What the events of one such message have in common: `source`, `state`, `label:KEY`."""
    quiet: QuietSettings | None = None
    """The hours of each day in which it is left alone."""
    digest: TimeOfDay | None = None
    """The time of day at which one message tells all that came since the last one, instead of a message for each."""
    after: ReminderTime | None = None
    """How long a condition must last until it hears of it: for those who are told when nobody else has mended it. It
    hears of its end only if it has heard of it. Default: at once. What jobs do by themselves is told at once."""
    repeat: ReminderTime | None = None
    """How often it is reminded of a condition that lasts. Default: never; of a job that is stuck each day."""
    title_template: TemplateText | None = None
    """The title of its messages, in words of your own: `{{ job.name }}: {{ state }} after {{ duration }}`."""
    template: TemplateText | None = None
    """Their text, in place of the list of facts: Jinja2 with `job`, `state`, `error` and so on, see the README."""
    timezone: TimeZone | None = None
    """The time zone of `digest` and `quiet`. Default: UTC."""


class SupervisionSettings(Section):
    """When jobs that do not change are reported."""

    stuck_after: dict[StatusName, Duration] = Field(default_factory=lambda: dict(STUCK_AFTER))
    """How long a job may stay in a status before it is reported as stuck, and again each day. Other statuses have no
    limit."""


class HttpSettings(Section):
    """The server for probes, metrics and the state of things. Off unless `listen` is set."""

    listen: str | None = None
    """`127.0.0.1:8321`, or `unix:/run/watcher/http.sock`. Anything but loopback or a socket file needs a token."""
    token: Key | None = None
    """Guards everything but `/livez` and `/readyz`; changing what is watched always needs it."""
    allowed_hosts: tuple[HostName, ...] = ()
    """The names that requests may call this host by, such as `watcher.example.com`, besides `localhost`, addresses and
    the host of `listen`. Any other name is refused: it may be that of a web page, pointed at this host by its owner."""
    public_url: BaseUrl | None = None
    """Where people find the page, such as `https://watcher.example.com`: messages link to the job there."""
    trusted_user_header: UserHeader | None = None
    """The header in which a proxy in front names the user it has let in, such as `X-Forwarded-User`; who is named needs
    no token. It counts only from loopback or a socket file. The proxy must take it out of what clients send."""


class HeartbeatSettings(Section):
    """A dead man's switch: a service that raises an alarm when the watcher is silent."""

    url: HeartbeatUrl | None = None
    """Asked for every minute while all is well; with `/fail` behind its path while it is not, or with `status=down` in
    its query where that says `status=up`, as Uptime Kuma's push URLs do."""


class LogSettings(Section):
    """What is logged to standard error."""

    level: Level = "info"
    """How much."""
    format: Format = "auto"
    """`json`, `console`, or `auto`: console on a terminal, JSON elsewhere."""


class Settings(Section):
    """Everything that can be set."""

    sources: dict[Name, SerializeAsAny[SourceSettings]] = Field(default_factory=dict)
    """Where jobs live, by name. `openai` is always there and takes the `OPENAI_*` variables."""
    polling: PollingSettings = Field(default_factory=PollingSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    jobs: tuple[WatchedJob, ...] = ()
    """What to watch, besides what rules find and `watcher jobs add` adds."""
    watch: tuple[WatchSettings, ...] = ()
    """Which jobs to watch without naming them. With neither jobs nor this, every job of the sources that have a key is
    watched from now on; an empty list means none."""
    notifiers: dict[Name, SerializeAsAny[NotifierSettings]] = Field(default_factory=dict)
    """The notifiers, by name."""
    supervision: SupervisionSettings = Field(default_factory=SupervisionSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)
    heartbeat: HeartbeatSettings = Field(default_factory=HeartbeatSettings)
    log: LogSettings = Field(default_factory=LogSettings)

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Mark jobs and rules that are there twice or live nowhere."""
        sources = given.get("sources", {})
        marked = {
            section: mark(entries, list(sources))
            for section, mark in (("jobs", marked_jobs), ("watch", marked_rules))
            if isinstance(sources, Mapping) and isinstance(entries := given.get(section), list | tuple)
        }
        return {**given, **marked}
