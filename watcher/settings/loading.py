"""The layers of settings: flags, the environment and the file, merged but not yet validated."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from pydantic import Field, SkipValidation
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from watcher.domain.text import printable
from watcher.errors import ConfigurationError
from watcher.plugins.section import FILE_SUFFIX
from watcher.plugins.source import DEFAULT_SOURCE
from watcher.settings import implied_notifiers
from watcher.settings.error_text import Location, Origin, nearest, written
from watcher.settings.locations import ENVIRONMENT_PREFIX, NO_SETTINGS
from watcher.settings.source_kinds import given_by_variables, variables_set

NESTING = "__"
"""What separates the parts of a key in the name of a variable."""
_OF_KUBERNETES = re.compile(r"_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_[A-Z]+(_(PROTO|PORT|ADDR))?)?)$")
"""Variables that Kubernetes sets for each service; one may well be called `watcher`."""
_TOML_PLACE = re.compile(r"(?P<what>.*) \(at (?P<where>line \d+, column \d+|end of document)\)", re.DOTALL)
_DEPTH_OF_SECRETS = 2
"""Secrets are keys of `[section]` or of `[section.name]`."""

_COMMAND = "token_command"
_INSTEAD_OF_COMMAND = ("api_key", "api_key_file", "token", "token_file")

# Without parameters: they would say which variables are text, and JSON would not be looked for.
_Table = SkipValidation[dict]  # type: ignore[type-arg]
"""Known to be a table, so that variables can reach into it; what it really is will be validated later."""


class _Layers(BaseSettings):
    """The layers of settings, merged but not yet validated: plain sections."""

    model_config = SettingsConfigDict(extra="allow", case_sensitive=True)

    sources: _Table = Field(default_factory=dict)
    polling: _Table = Field(default_factory=dict)
    store: _Table = Field(default_factory=dict)
    jobs: SkipValidation[list[Any]] = Field(default_factory=list)
    watch: SkipValidation[list[Any]] = Field(default_factory=list)
    notifiers: _Table = Field(default_factory=dict)
    supervision: _Table = Field(default_factory=dict)
    http: _Table = Field(default_factory=dict)
    heartbeat: _Table = Field(default_factory=dict)
    log: _Table = Field(default_factory=dict)


def merged(path: Path | None, overrides: Mapping[str, Any]) -> tuple[dict[str, Any], Origin]:
    """Merge the overrides, `WATCHER_…`, the variables of kinds of sources and the file; say what came whence.

    The first of them prevails. Raises ConfigurationError for a file that cannot be read at all.
    """
    flags, environment, file = _Flags(overrides), _Environment(), [_File(path)] if path else []
    try:
        variables = _SourceVariables([layer() for layer in (flags, environment, *file)])
        implied = _NotifierVariables([layer() for layer in (flags, environment, *file)])
        layers: list[_Flags | _Environment | _SourceVariables | _NotifierVariables | _File]
        layers = [flags, environment, variables, implied, *file]

        class Merging(_Layers):
            @classmethod
            def settings_customise_sources(cls, *_: Any, **__: Any) -> tuple[PydanticBaseSettingsSource, ...]:
                return tuple(layers)

        whole = Merging()
    except RecursionError:
        raise ConfigurationError(f"{path or 'environment'}: nested too deeply") from None
    given = {name: value for name, value in whole if name in whole.model_fields_set}
    if isinstance(sources := given.get("sources", {}), Mapping):
        given["sources"] = {DEFAULT_SOURCE: {}, **sources}
    return given, Origin(given, [(layer(), layer.place) for layer in layers])


def unknown_variables() -> list[str]:
    """Find misspelt variables; those that look like variables of other programs are ignored."""
    return [
        f"environment: {printable(name)}: unknown; {hint}"
        for name in sorted(os.environ)
        if name.startswith(ENVIRONMENT_PREFIX) and name not in NO_SETTINGS and (hint := _hint(name))
    ]


def _hint(variable: str) -> str | None:
    """Return what was probably meant by a variable; None for one that is known, or of another program."""
    sections = [section.upper() for section in _Layers.model_fields]
    section, nesting, _ = variable.removeprefix(ENVIRONMENT_PREFIX).upper().partition(NESTING)
    if section in sections:
        return None
    if nesting:
        near = nearest(section, sections)
        return f"did you mean {ENVIRONMENT_PREFIX}{near}{NESTING}…?" if near else f"expected {_one_of(sections)}"
    if section.split("_")[0] in sections and not _OF_KUBERNETES.search(section):
        return f"the parts of a key are separated by {NESTING}, as in {ENVIRONMENT_PREFIX}POLLING{NESTING}INTERVAL"
    return None


def _one_of(sections: list[str]) -> str:
    return "one of " + ", ".join(f"{ENVIRONMENT_PREFIX}{section}{NESTING}…" for section in sections)


class _Flags(InitSettingsSource):
    """What the command line says."""

    def __init__(self, overrides: Mapping[str, Any]) -> None:
        super().__init__(_Layers, dict(overrides))

    def place(self, at: Location) -> str:
        return f"command line: {written(at)}"


class _Environment(EnvSettingsSource):
    """`WATCHER_…`. Only what looks like a table or a list is read as JSON; anything else is text, as it stands."""

    def __init__(self) -> None:
        super().__init__(
            _Layers,
            case_sensitive=False,
            env_prefix=ENVIRONMENT_PREFIX,
            env_nested_delimiter=NESTING,
            env_ignore_empty=True,
        )
        # A whole table goes before single keys of it.
        self.env_vars = dict(sorted(self.env_vars.items()))

    def decode_complex_value(self, field_name: str, field: Any, value: Any) -> Any:  # noqa: ARG002 - overrides
        if not str(value).lstrip().startswith(("[", "{")):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value  # its validation will say what is expected

    def place(self, at: Location) -> str:
        return f"environment: {self._variable(at)}"

    def _variable(self, at: Location) -> str:
        """Name the variable that leads furthest towards a place."""
        wanted = [str(part).upper() for part in at]
        ways = {
            name: name.upper().removeprefix(ENVIRONMENT_PREFIX).split(NESTING)
            for name in os.environ
            if name.upper().startswith(ENVIRONMENT_PREFIX)
        }
        name = max(ways, key=lambda name: (_in_common(ways[name], wanted), -len(ways[name])))
        return name if ways[name] == wanted else f"{name}: {written(at)}"

    def __call__(self) -> dict[str, Any]:
        return _without_overruled(super().__call__(), self.current_state)


class _SourceVariables(InitSettingsSource):
    """The variables that users of a service have already, for the source that is named by its kind."""

    def __init__(self, layers: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(_Layers, given_by_variables(layers))

    def place(self, at: Location) -> str:
        variables = variables_set(str(at[1])) if len(at) > 1 else {}
        return f"environment: {variables.get(str(at[-1]), written(at))}"

    def __call__(self) -> dict[str, Any]:
        return _without_overruled(super().__call__(), self.current_state)


class _NotifierVariables(InitSettingsSource):
    """The variables that people have already for a receiver, where no notifier is configured."""

    def __init__(self, layers: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(_Layers, implied_notifiers.given_by_variables(layers))

    def place(self, at: Location) -> str:
        variable = implied_notifiers.variable_of(str(at[1]), str(at[-1])) if len(at) > 1 else None
        return f"environment: {variable or written(at)}"


class _File(TomlConfigSettingsSource):
    """The configuration file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__(_Layers, path)

    def _read_files(self, *_: Any, **__: Any) -> dict[str, Any]:
        try:
            text = self._path.read_bytes().decode("utf-8-sig")
            return tomllib.loads(text)
        except OSError as error:
            raise ConfigurationError(f"{self._path}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{self._path}: not UTF-8 text, from byte {error.start} on") from None
        except RecursionError:
            raise ConfigurationError(f"{self._path}: nested too deeply") from None
        except ValueError as error:
            raise ConfigurationError(f"{self._path}{_toml_mistake(str(error), text)}") from None

    def place(self, at: Location) -> str:
        return f"{self._path}: {written(at)}" if at else str(self._path)

    def __call__(self) -> dict[str, Any]:
        return _without_overruled(super().__call__(), self.current_state)


def _in_common(way: Sequence[str], wanted: Sequence[str]) -> int:
    """Count the first parts that are the same."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(way, wanted, strict=False))))


def _toml_mistake(error: str, text: str) -> str:
    found = _TOML_PLACE.fullmatch(error)
    if not found:
        return f": not valid TOML: {printable(error)}"
    where = found["where"]
    if where == "end of document":
        lines = text.split("\n")
        where = f"line {len(lines)}, column {len(lines[-1]) + 1}"
    return f", {where}: not valid TOML: {printable(found['what'])}"


def _without_overruled(
    lower: dict[str, Any], higher: Mapping[str, Any], depth: int = _DEPTH_OF_SECRETS
) -> dict[str, Any]:
    """Drop a secret, its file, or what prints it, where a layer of higher precedence gives another one of these."""
    return {
        key: _without_overruled(value, higher[key], depth - 1)
        if depth and isinstance(value, dict) and isinstance(higher.get(key), Mapping)
        else value
        for key, value in lower.items()
        if isinstance(value, dict) or not any(twin in higher for twin in _twins(key))
    }


def _twins(key: str) -> Iterator[str]:
    yield key + FILE_SUFFIX
    if key.endswith(FILE_SUFFIX):
        yield key.removesuffix(FILE_SUFFIX)
    if key == _COMMAND:
        yield from _INSTEAD_OF_COMMAND
    elif key in _INSTEAD_OF_COMMAND:
        yield _COMMAND
