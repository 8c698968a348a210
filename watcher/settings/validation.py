"""Reading the settings, and finding every mistake in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, cast

from pydantic import ValidationError, create_model

from watcher.domain.jobs import JobKey, JobSpec
from watcher.domain.text import excerpt
from watcher.errors import ConfigurationError
from watcher.plugins import registry
from watcher.plugins.section import FILE_SUFFIX, Section
from watcher.plugins.source import DEFAULT_KIND
from watcher.settings.error_text import Location, Origin, told
from watcher.settings.loading import merged, unknown_variables
from watcher.settings.model import NotifierSettings, Settings, SourceSettings
from watcher.settings.source_kinds import without_kind

M = TypeVar("M", SourceSettings, NotifierSettings)

_UNKNOWN = "unknown"
_FOR_PEOPLE = (
    ("batch", "takes_groups", "gets each event by itself"),
    ("digest", "takes_groups", "gets each event by itself"),
    ("title_template", "takes_words", "is read by programs"),
    ("template", "takes_words", "is read by programs"),
)
"""Settings that are for people, what a kind must be able to do for them, and why it cannot."""
_LONGEST_ID = 100
"""Characters of an id that a mistake repeats."""


def load(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings. Precedence: overrides, `WATCHER_…`, the variables of the kinds of sources, the file, defaults.

    Raises ConfigurationError with every mistake that was found.
    """
    given, origin = merged(path, overrides or {})
    mistakes = _say_kinds(given, origin)
    built = {kinds.section: kinds.validated(given, origin, mistakes) for kinds in (SOURCES, NOTIFIERS)}
    mistakes += _refused_of_programs(built["notifiers"], origin)
    try:
        settings = Settings.model_validate({**given, **built})
    except ValidationError as error:
        mistakes = told(error, Settings, origin) + mistakes
    else:
        settings = settings.model_copy(update={"jobs": _with_short_ids(settings, origin, mistakes)})
    if mistakes := mistakes + unknown_variables():
        raise ConfigurationError(*mistakes)
    return settings


def load_for_store(path: Path | None) -> Settings:
    """Read what a command on the store needs, and no secret but that of the store itself.

    A user who may read the store often may not read the service's secrets. Raises ConfigurationError.
    """
    given, origin = merged(path, {})
    for section, name in (("http", "token"), ("heartbeat", "url")):
        given[section] = _without(given.get(section, {}), name)
    mistakes: list[str] = []
    common = {kinds.section: kinds.common(given, origin, mistakes) for kinds in (SOURCES, NOTIFIERS)}
    try:
        settings = Settings.model_validate({**given, **common})
    except ValidationError as error:
        mistakes += told(error, Settings, origin)
    if mistakes:
        raise ConfigurationError(*mistakes)
    return settings


def read_job_id(settings: Settings, source: str, job_id: str) -> str:
    """Return the id that a source of the settings uses for a job. Raises ValueError that says what is expected."""
    return registry.sources.plugin(settings.sources[source].kind).read_id(job_id)


@dataclass(frozen=True, slots=True)
class Kinds(Generic[M]):
    """A section whose entries each have a kind, and are validated by the model of the plugin of that kind."""

    section: str
    model: type[M]
    """The settings of every kind."""
    registry: registry.Registry[Any]

    def model_of(self, kind: str) -> type[M]:
        """Put together what every entry has with the settings of a kind. Raises ConfigurationError."""
        config: type[Section] = self.registry.plugin(kind).config
        if twice := sorted(set(config.model_fields) & set(self.model.model_fields)):
            raise ConfigurationError(
                f"{self.registry.what} kind {kind!r} cannot be used: it redefines {', '.join(twice)}"
            )
        return cast("type[M]", _put_together(self.model, kind, config))

    def validated(self, given: Mapping[str, Any], origin: Origin, mistakes: list[str]) -> Any:
        """Validate each entry by the model of its kind; one with mistakes stands for itself without its settings."""
        entries = given.get(self.section, {})
        if not isinstance(entries, Mapping):
            return entries
        built: dict[str, Any] = {}
        for name, values in entries.items():
            at: Location = (self.section, name)
            try:
                model = self._model_for(values) if isinstance(values, Mapping) else self.model
                known = values
            except ConfigurationError as error:
                mistakes += [origin.mistake((*at, "kind"), text) for text in error.mistakes]
                model, known = self.model, self._common(values)
            try:
                built[name] = model.model_validate(known)
            except ValidationError as error:
                mistakes += told(error, model, origin, at)
                built[name] = self.model.model_construct(kind=_UNKNOWN)
        return built

    def common(self, given: Mapping[str, Any], origin: Origin, mistakes: list[str]) -> Any:
        """Keep of each entry what can be judged without knowing its kind, and without its secrets."""
        entries = given.get(self.section, {})
        if not isinstance(entries, Mapping):
            return entries
        built: dict[str, Any] = {}
        for name, values in entries.items():
            try:
                entry = built[name] = self.model.model_validate(self._common(values))
            except ValidationError as error:
                mistakes += told(error, self.model, origin, (self.section, name))
                continue
            # What is left out here has been set all the same.
            entry.model_fields_set.clear()
            entry.model_fields_set.update(values)
        return built

    def _model_for(self, values: Mapping[str, Any]) -> type[M]:
        kind = values.get("kind", self.model.model_fields["kind"].default)
        if isinstance(kind, str):
            return self.model_of(kind)
        known = ", ".join(self.registry.kinds())
        raise ConfigurationError(f"{'' if 'kind' in values else 'missing; '}expected one of: {known}")

    def _common(self, values: Any) -> Any:
        """Keep what can be judged without knowing the kind, also if that is wrong or missing."""
        if not isinstance(values, Mapping):
            return values
        kind = values.get("kind", self.model.model_fields["kind"].default)
        known = {name: value for name, value in values.items() if name in self.model.model_fields}
        return {**known, "kind": kind if isinstance(kind, str) else _UNKNOWN}


SOURCES = Kinds("sources", SourceSettings, registry.sources)
NOTIFIERS = Kinds("notifiers", NotifierSettings, registry.notifiers)


@cache
def _put_together(common: type[SourceSettings | NotifierSettings], kind: str, config: type[Section]) -> type[Section]:
    bases: Any = (config, common)
    has_default = common.model_fields["kind"].default == kind
    only_kind: Any = (Literal[kind], kind if has_default else ...)
    name = f"{kind.capitalize()}{common.__name__.removesuffix('Settings')}"
    return cast("type[Section]", create_model(name, __base__=bases, __doc__=config.__doc__, kind=only_kind))


def _refused_of_programs(notifiers: Any, origin: Origin) -> list[str]:
    """Refuse to group events, and words of one's own, for notifiers whose readers are programs."""
    entries = notifiers.items() if isinstance(notifiers, Mapping) else ()
    return [
        origin.mistake(("notifiers", name, key), f"a {entry.kind} notifier {why}; leave it out")
        for name, entry in entries
        for key, ability, why in _FOR_PEOPLE
        if getattr(entry, key, None) is not None and not _can(entry.kind, ability)
    ]


def _can(kind: str, ability: str) -> bool:
    """Tell what a kind of notifier can do; one that is not there has been complained of."""
    try:
        return bool(getattr(registry.notifiers.plugin(kind), ability))
    except ConfigurationError:
        return True


def _say_kinds(given: dict[str, Any], origin: Origin) -> list[str]:
    """Complain of sources that may or may not be of the kind whose name they have; take nothing else for a mistake."""
    mistakes = []
    for name in without_kind(given):
        known = f'"{name}", or "{DEFAULT_KIND}" for a service that speaks OpenAI\'s API'
        mistakes.append(
            origin.mistake(("sources", name, "kind"), f"missing; {name!r} is also a kind: expected {known}")
        )
        given["sources"] = {**given["sources"], name: {}}
    return mistakes


def _with_short_ids(settings: Settings, origin: Origin, mistakes: list[str]) -> tuple[JobSpec, ...]:
    """Let the source of each job check its id, and shorten it: so two that are written differently may be the same."""
    jobs = list(settings.jobs)
    readers = {name: read_id for name in settings.sources if (read_id := _reader_of_ids(settings, name))}
    seen: dict[JobKey, str] = {}
    for index, job in enumerate(jobs):
        source, job_id = job.key.source, job.key.id
        if read_id := readers.get(source):
            try:
                key = JobKey(source, read_id(job_id))
            except ValueError as error:
                mistakes.append(origin.mistake(("jobs", index, "id"), f"expected {error}"))
                continue
            if (before := seen.setdefault(key, job_id)) != job_id:
                same = f"{key} is listed twice: here as {excerpt(job_id, _LONGEST_ID)},"
                where = f"before as {excerpt(before, _LONGEST_ID)}"
                mistakes.append(origin.mistake(("jobs", index, "id"), f"{same} {where}"))
            if key != job.key:
                jobs[index] = replace(job, key=key)
    return tuple(jobs)


def _reader_of_ids(settings: Settings, source: str) -> Callable[[str], str] | None:
    """Return what reads the ids of a source's jobs; None for a source that has been complained of."""
    try:
        return registry.sources.plugin(settings.sources[source].kind).read_id
    except ConfigurationError:
        return None


def _without(section: object, secret: str) -> object:
    if not isinstance(section, Mapping):
        return section
    return {key: value for key, value in section.items() if key not in {secret, secret + FILE_SUFFIX}}
