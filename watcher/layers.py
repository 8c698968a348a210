"""The layers of settings: flags, the environment and the file, merged but not yet validated."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from watcher.errors import ConfigurationError
from watcher.fields import FILE_SUFFIX
from watcher.mistakes import Origin, told
from watcher.sources.environment import DEFAULT_SOURCE, OPENAI_VARIABLES

ENVIRONMENT_PREFIX = "WATCHER_"


class _Layers(BaseSettings):
    """The layers of settings, merged but not yet validated: plain sections."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__", extra="allow")

    sources: dict[str, Any] = Field(default_factory=dict)
    polling: dict[str, Any] = Field(default_factory=dict)
    store: dict[str, Any] = Field(default_factory=dict)
    jobs: list[Any] = Field(default_factory=list)
    notifiers: dict[str, Any] = Field(default_factory=dict)
    log: dict[str, Any] = Field(default_factory=dict)


def merged(path: Path | None, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the overrides, `WATCHER_…`, `OPENAI_…` and the file, the first of them prevailing.

    Raises ConfigurationError for a file or a variable that cannot be read at all.
    """

    class Merging(_Layers):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            layers = [init_settings, _Environment(settings_cls), _OpenAIVariables(settings_cls)]
            return (*layers, _File(settings_cls, path)) if path else tuple(layers)

    try:
        layers = Merging(**overrides)
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        variable = ENVIRONMENT_PREFIX + (field[1].upper() if field else "…")
        raise ConfigurationError(f"environment: {variable}: expected a table or list in JSON") from None
    except ValidationError as error:
        raise ConfigurationError(*told(error, _Layers, Origin(path, {}))) from None
    return layers.model_dump(exclude_unset=True)


def unknown_variables() -> list[str]:
    """Find misspelt variables. Without `__` they may be somebody else's: Kubernetes makes such names for services."""
    sections = [ENVIRONMENT_PREFIX + section.upper() for section in _Layers.model_fields]
    unknown = [
        name
        for name in os.environ
        if name.startswith(ENVIRONMENT_PREFIX) and "__" in name and name.partition("__")[0].upper() not in sections
    ]
    return [f"environment: {name}: unknown; expected one of: {', '.join(sections)}" for name in sorted(unknown)]


class _Environment(EnvSettingsSource):
    """`WATCHER_…`. Only what looks like a table or a list is read as JSON; anything else is text, as it stands."""

    def decode_complex_value(self, field_name: str, field: Any, value: Any) -> Any:
        if str(value).lstrip()[:1] in {"[", "{"}:
            return super().decode_complex_value(field_name, field, value)
        raise ValueError(f"{field_name} is text")


class _OpenAIVariables(PydanticBaseSettingsSource):
    """The variables of OpenAI's own tools, for the source `openai`."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # the settings are given whole

    def __call__(self) -> dict[str, Any]:
        given = {name: os.environ[variable] for variable, name in OPENAI_VARIABLES.items() if os.environ.get(variable)}
        return _without_overruled({"sources": {DEFAULT_SOURCE: given}}, self.current_state) if given else {}


class _File(TomlConfigSettingsSource):
    """The configuration file."""

    def __init__(self, settings_cls: type[BaseSettings], path: Path) -> None:
        if not path.is_file():
            raise ConfigurationError(f"{path}: not a file")
        try:
            super().__init__(settings_cls, path)
        except OSError as error:
            raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
        except ValueError as error:  # TOML syntax, or not UTF-8
            raise ConfigurationError(f"{path}: not valid TOML: {error}") from None

    def __call__(self) -> dict[str, Any]:
        return _without_overruled(super().__call__(), self.current_state)


def _without_overruled(lower: dict[str, Any], higher: Mapping[str, Any]) -> dict[str, Any]:
    """Drop a secret, or the path of its file, where a layer of higher precedence gives the other one of the two."""
    kept: dict[str, Any] = {}
    for key, value in lower.items():
        twin = key.removesuffix(FILE_SUFFIX) if key.endswith(FILE_SUFFIX) else key + FILE_SUFFIX
        if twin in higher:
            continue
        above = higher.get(key)
        kept[key] = (
            _without_overruled(value, above) if isinstance(value, dict) and isinstance(above, Mapping) else value
        )
    return kept
