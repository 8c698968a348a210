"""Reading the settings, and finding every mistake in them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import Field, ValidationError, create_model

from watcher.errors import ConfigurationError
from watcher.plugins.section import FILE_SUFFIX, Section
from watcher.settings.error_text import Origin, told
from watcher.settings.loading import merged, unknown_variables
from watcher.settings.model import NotifierSettings, Settings
from watcher.settings.values import NAME_RULE, is_name

_NOTIFIERS = "notifiers"
_COMMON = NotifierSettings.model_fields


def load(path: Path | None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings. Precedence: overrides, `WATCHER_…`, `OPENAI_…`, the file, defaults.

    Raises ConfigurationError with every mistake that was found.
    """
    given, origin = merged(path, overrides or {})
    mistakes: list[str] = []
    notifiers: dict[str, NotifierSettings] = {}
    rest = dict(given)
    if isinstance(given.get(_NOTIFIERS), dict):
        notifiers = _notifiers(rest.pop(_NOTIFIERS), origin, mistakes)
    try:
        settings = Settings.model_validate(rest)
    except ValidationError as error:
        mistakes = told(error, Settings, origin) + mistakes
    if mistakes := mistakes + unknown_variables():
        raise ConfigurationError(*mistakes)
    return settings.model_copy(update={_NOTIFIERS: notifiers})


def load_for_store(path: Path | None) -> Settings:
    """Read what a command on the record needs, and no secret but that of the record itself.

    Whoever looks at the record often may not read the service's secrets. Raises ConfigurationError.
    """
    given, origin = merged(path, {})
    for section, name in (("http", "token"), ("heartbeat", "url")):
        given[section] = _without(given.get(section, {}), name)
    sources, notifiers = given.get("sources", {}), given.pop(_NOTIFIERS, {})
    if isinstance(sources, dict):
        given["sources"] = {name: _without(values, "api_key") for name, values in sources.items()}
    try:
        settings = Settings.model_validate(given)
        common = {name: NotifierSettings.model_validate(_common(values)) for name, values in notifiers.items()}
    except ValidationError as error:
        raise ConfigurationError(*told(error, Settings, origin)) from None
    return settings.model_copy(update={_NOTIFIERS: common})


def _without(section: object, secret: str) -> object:
    if not isinstance(section, Mapping):
        return section
    return {key: value for key, value in section.items() if key not in {secret, secret + FILE_SUFFIX}}


def notifier_model(kind: str) -> type[NotifierSettings]:
    """Put together what every notifier has with the settings of a kind. Raises ConfigurationError."""
    from watcher.plugins.registry import plugin

    config: type[Section] = plugin(kind).config
    if twice := sorted(set(config.model_fields) & set(_COMMON)):
        raise ConfigurationError(f"notifier kind {kind!r} cannot be used: it redefines {', '.join(twice)}")
    return _put_together(kind, config)


@cache
def _put_together(kind: str, config: type[Section]) -> type[NotifierSettings]:
    bases: Any = (config, NotifierSettings)
    only_kind: Any = (Literal[kind], Field(description=_COMMON["kind"].description))
    model = create_model(f"{kind.capitalize()}Notifier", __base__=bases, __doc__=config.__doc__, kind=only_kind)
    return cast("type[NotifierSettings]", model)


def _notifiers(given: Mapping[str, Any], origin: Origin, mistakes: list[str]) -> dict[str, NotifierSettings]:
    """Validate each notifier by the model of its kind."""
    built: dict[str, NotifierSettings] = {}
    for name, values in given.items():
        at = (_NOTIFIERS, name)
        if not is_name(name):
            mistakes.append(origin.mistake(at, f"expected {NAME_RULE}"))
        try:
            model = _model_for(values) if isinstance(values, Mapping) else NotifierSettings
            known = values
        except ConfigurationError as error:
            mistakes += [origin.mistake((*at, "kind"), text) for text in error.mistakes]
            model, known = NotifierSettings, _common(values)
        try:
            built[name] = model.model_validate(known)
        except ValidationError as error:
            mistakes += told(error, model, origin, at)
    return built


def _model_for(values: Mapping[str, Any]) -> type[NotifierSettings]:
    from watcher.plugins.registry import kinds

    kind = values.get("kind")
    if isinstance(kind, str):
        return notifier_model(kind)
    raise ConfigurationError(f"{'missing; ' if kind is None else ''}expected one of: {', '.join(kinds())}")


def _common(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what can be judged without knowing the kind."""
    return {name: value for name, value in values.items() if name in _COMMON} | {"kind": "unknown"}
