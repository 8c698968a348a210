"""The settings: from flags, the environment and a TOML file to frozen values. Read once, at start."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union

import platformdirs
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    SecretStr,
    SerializeAsAny,
    ValidationError,
    create_model,
    model_validator,
)

from watcher.domain.jobs import ID_RULE, Status, is_job_id
from watcher.domain.routing import FirstSeen
from watcher.errors import ConfigurationError
from watcher.fields import Duration, Section
from watcher.layers import merged, unknown_variables
from watcher.logs import Format, Level
from watcher.mistakes import Origin, nearest, told
from watcher.sources.environment import (
    DEFAULT_BASE_URL,
    DEFAULT_SOURCE,
    DEFAULT_TIMEOUT,
    Auth,
    is_base_url,
    is_header_text,
)

_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_LONGEST_NAME = 200
_NOTIFIERS = "notifiers"


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a name of 1 to 64 of the characters a-z 0-9 _ -")
    return name


def _check_job_id(job_id: str) -> str:
    if not is_job_id(job_id):
        raise ValueError(f"a job id: {ID_RULE}")
    return job_id


def _check_base_url(url: str) -> str:
    if not is_base_url(url):
        raise ValueError(f"an http:// or https:// URL such as {DEFAULT_BASE_URL}, without user, query or fragment")
    return url.rstrip("/")


def _check_key(key: SecretStr) -> SecretStr:
    if not is_header_text(key.get_secret_value()):
        raise ValueError("printable ASCII without spaces")
    return key


def _check_status(status: str) -> str:
    if status not in set(Status) and (near := nearest(status, Status)):
        raise ValueError(f"a status; did you mean {near!r}?")
    return status


Name = Annotated[str, AfterValidator(_check_name)]
Labels = dict[str, str]


class SourceSettings(Section):
    """Where jobs live, and how to ask for them."""

    base_url: Annotated[str, AfterValidator(_check_base_url)] = DEFAULT_BASE_URL
    """Where the API is. Requests go to `{base_url}/fine_tuning/jobs/{id}`."""
    api_key: Annotated[SecretStr, AfterValidator(_check_key)] | None = None
    """The key. Better by `api_key_file` or the environment than in the file itself."""
    organization: str | None = None
    """Sent as `OpenAI-Organization`."""
    project: str | None = None
    """Sent as `OpenAI-Project`."""
    auth: Auth = "bearer"
    """How the key is sent: `bearer` (Authorization: Bearer …) or `api-key` (Azure's header)."""
    api_version: str | None = None
    """Azure's `api-version` query parameter, for its older endpoints."""
    timeout: Duration = DEFAULT_TIMEOUT
    """How long an answer may take."""
    client_cert_file: Path | None = None
    """A client certificate (PEM), for services that ask for one."""
    client_key_file: Path | None = None
    """The key of the client certificate, if it is not in the same file."""


class PollingSettings(Section):
    """How often to look."""

    interval: Duration = Field(default="30s", validate_default=True)
    """How often each job is polled."""


class StoreSettings(Section):
    """Where jobs, transitions and deliveries are recorded."""

    url: SecretStr | None = None
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
    statuses: list[Annotated[str, AfterValidator(_check_status)]] | None = None
    """The statuses it wants to hear of. Default: every one."""
    labels: Labels = Field(default_factory=dict)
    """The labels a job must have for it to hear of it."""
    first_seen: FirstSeen = FirstSeen.TERMINAL
    """Which first sights of a job it wants: those of a job that has ended (`terminal`), `always`, or `never`."""


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
    log: LogSettings = Field(default_factory=LogSettings)

    @model_validator(mode="after")
    def _check_jobs(self) -> Settings:
        self.sources.setdefault(DEFAULT_SOURCE, SourceSettings())
        seen: set[tuple[str, str]] = set()
        for index, job in enumerate(self.jobs):
            if job.source not in self.sources:
                raise ValueError(f"jobs[{index}].source: no source is named {job.source!r}; {_known(self.sources)}")
            if (job.source, job.id) in seen:
                raise ValueError(f"jobs[{index}]: {job.source}/{job.id} is listed twice")
            seen.add((job.source, job.id))
        return self


def load(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings. Precedence: overrides, `WATCHER_…`, `OPENAI_…`, the file, defaults.

    Raises ConfigurationError with every mistake that was found.
    """
    given = merged(path, overrides or {})
    origin = Origin(path, given)
    mistakes = unknown_variables()
    notifiers = given.get(_NOTIFIERS, {})
    built = _notifiers(notifiers, origin, mistakes) if isinstance(notifiers, dict) else {}
    rest = given | {_NOTIFIERS: {}} if isinstance(notifiers, dict) else given
    try:
        settings = Settings.model_validate(rest)
    except ValidationError as error:
        mistakes = told(error, Settings, origin) + mistakes
    if mistakes:
        raise ConfigurationError(*mistakes)
    return settings.model_copy(update={_NOTIFIERS: built})


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration file, with the settings of every installed kind of notifier."""
    from watcher.notifiers.registry import kinds

    one_of_them: Any = Annotated[Union[tuple(map(_notifier_model, kinds()))], Field(discriminator="kind")]  # noqa: UP007 - made at run time
    notifiers: Any = (dict[Name, one_of_them], Settings.model_fields[_NOTIFIERS])
    whole = create_model("Settings", __base__=Settings, notifiers=notifiers)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole.model_json_schema()}


def masked(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain values, with secrets masked, without what is not set."""
    whole = settings.model_dump(mode="json", exclude_none=True)
    whole["store"].setdefault("url", settings.store.resolved_url())
    return _without_empty(whole)


def to_toml(document: Mapping[str, Any]) -> str:
    """Write plain values as TOML."""
    import tomli_w

    return tomli_w.dumps(document)


def secrets_of(settings: BaseModel) -> frozenset[str]:
    """Return every secret in the settings, to be kept out of the log."""
    return frozenset(_secrets(settings))


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for _, field in value:
            yield from _secrets(field)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _secrets(item)


def _without_empty(table: dict[str, Any]) -> dict[str, Any]:
    inner = {key: _without_empty(value) if isinstance(value, dict) else value for key, value in table.items()}
    return {key: value for key, value in inner.items() if value not in ({}, [])}


def _known(names: Mapping[str, object]) -> str:
    return f"there are: {', '.join(sorted(names))}"


def _notifiers(given: Mapping[str, Any], origin: Origin, mistakes: list[str]) -> dict[str, NotifierSettings]:
    """Validate each notifier by the model of its kind."""
    built: dict[str, NotifierSettings] = {}
    for name, values in given.items():
        at = (_NOTIFIERS, name)
        try:
            _check_name(name)
            model = (
                _notifier_model(str(values["kind"]))
                if isinstance(values, dict) and "kind" in values
                else NotifierSettings
            )
            built[name] = model.model_validate(values)
        except ConfigurationError as error:
            mistakes += [origin.mistake((*at, "kind"), text) for text in error.mistakes]
        except ValidationError as error:
            mistakes += told(error, model, origin, at)
        except ValueError as error:
            mistakes.append(origin.mistake(at, f"expected {error}"))
    return built


def _notifier_model(kind: str) -> type[NotifierSettings]:
    """Put together what every notifier has with the settings of a kind. Raises ConfigurationError."""
    from watcher.notifiers.registry import plugin

    config = plugin(kind).config
    if twice := sorted(set(config.model_fields) & set(NotifierSettings.model_fields)):
        raise ConfigurationError(f"notifier kind {kind!r} cannot be used: it redefines {', '.join(twice)}")
    only_kind: Any = (Literal[kind], Field(description=NotifierSettings.model_fields["kind"].description))
    return create_model(
        f"{kind.capitalize()}Notifier", __base__=(NotifierSettings, config), __doc__=config.__doc__, kind=only_kind
    )
