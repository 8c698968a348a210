"""The kinds of values that settings are made of, for the watcher's own settings and for those of plugins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    PlainSerializer,
    SecretStr,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from watcher.domain.durations import DURATION_RULE, parse_duration, write_duration
from watcher.plugins.secret_file import read_secret

FILE_SUFFIX = "_file"
"""What turns the name of a secret into the name of its twin, which holds the path of a file."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """Stands in for a value that is known to be wrong, so that it is reported with all other mistakes."""

    why: str
    is_in_file: bool = False
    """Whether it was the `_file` twin of the key that was given."""


def expected(rule: str) -> PydanticCustomError:
    """Return the error for a value that is not what the rule says, such as `a name of 1 to 64 letters`."""
    return PydanticCustomError("expected", "expected {rule}", {"rule": rule})


def _read_duration(given: object) -> timedelta:
    try:
        return parse_duration(given)
    except ValueError as error:
        raise expected(str(error)) from None


class SecretOfFile(SecretStr):
    """A secret that was read from a file, which may hold another one later."""

    def __init__(self, secret: str, path: Path) -> None:
        super().__init__(secret)
        self.path = path


Duration = Annotated[
    timedelta,
    BeforeValidator(_read_duration),
    PlainSerializer(write_duration, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "examples": ["30s", "5m", "1h30m"]},
                {"type": "number", "exclusiveMinimum": 0},
            ],
            "description": DURATION_RULE,
        }
    ),
]
"""A duration: `"30s"`, `"5m"`, `"1h30m"`, `"0.5s"` or a number of seconds; more than zero."""


class Section(BaseModel):
    """A section of the settings: frozen, closed to unknown keys, its secrets readable from files.

    A field `x` of type SecretStr may be given as `x_file`, the path of a file that holds it: what container
    secrets and systemd credentials are. White space around the secret is dropped. In a table of them, such as headers,
    each may be given so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        values: dict[str, Any] = dict(given)
        for name in cls.secret_names():
            path = values.pop(name + FILE_SUFFIX, None)
            if path is None:
                continue
            if values.get(name) is None:
                values[name] = _read_secret(path)
            else:
                values[name] = Mistake(f"give either {name} or {name}{FILE_SUFFIX}, not both", is_in_file=True)
        for name in _secret_tables_of(cls):
            if isinstance(table := values.get(name), Mapping):
                values[name] = _read_secret_table(table)
        return values

    @field_validator("*", mode="before")
    @classmethod
    def _tell_mistake(cls, value: object) -> object:
        if isinstance(value, Mistake):
            kind = "mistake_in_file" if value.is_in_file else "mistake"
            raise PydanticCustomError(kind, "{why}", {"why": value.why})
        return value

    @classmethod
    def secret_names(cls) -> Sequence[str]:
        """Name the fields that hold a secret."""
        return _secrets_of(cls)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> JsonSchemaValue:
        """Describe the keys, the `_file` twins too, and that a secret is given in one way only."""
        from watcher.plugins.descriptions import descriptions

        json_schema = handler.resolve_ref_schema(handler(schema))
        texts = descriptions(cls)
        for name, field in cls.model_fields.items():
            if field.description is None and name in texts:
                json_schema["properties"][field.alias or name]["description"] = texts[name]
        secrets = cls.secret_names()
        required = json_schema.pop("required", [])
        for name in secrets:
            json_schema["properties"][name + FILE_SUFFIX] = {
                "type": "string",
                "format": "path",
                "description": f"The path of a file that holds {name}.",
            }
        if plain := [name for name in required if name not in secrets]:
            json_schema["required"] = plain
        if secrets:
            json_schema["allOf"] = [_one_way(name, is_required=name in required) for name in secrets]
        return json_schema


@cache  # a configuration may have ten thousand sections of one kind
def _secrets_of(section: type[Section]) -> Sequence[str]:
    return tuple(name for name, field in section.model_fields.items() if _is_secret(field.annotation))


@cache
def _secret_tables_of(section: type[Section]) -> Sequence[str]:
    """Name the fields that hold a table of secrets."""
    return tuple(name for name, field in section.model_fields.items() if _is_secret_table(field.annotation))


def _one_way(name: str, *, is_required: bool) -> JsonSchemaValue:
    if is_required:
        return {"oneOf": [{"required": [name]}, {"required": [name + FILE_SUFFIX]}]}
    return {"not": {"required": [name, name + FILE_SUFFIX]}}


def _is_secret(annotation: object) -> bool:
    """Return whether a field holds one secret. A table of secrets does not: no one file could hold it."""
    if get_origin(annotation) in {dict, list, tuple}:
        return False
    return annotation is SecretStr or any(map(_is_secret, get_args(annotation)))


def _is_secret_table(annotation: object) -> bool:
    if get_origin(annotation) is dict:
        return SecretStr in get_args(annotation)
    return get_origin(annotation) is Annotated and _is_secret_table(get_args(annotation)[0])


def _read_secret_table(given: Mapping[str, object]) -> dict[str, object] | Mistake:
    """Put the content of files in the place of their paths."""
    table: dict[str, object] = {}
    for name, value in given.items():
        key = name.removesuffix(FILE_SUFFIX)
        if key in table:
            return Mistake(f"give either {key} or {key}{FILE_SUFFIX}, not both")
        table[key] = value if key == name else _read_secret(value)
        if isinstance(wrong := table[key], Mistake):
            return Mistake(f"{name}: {wrong.why}")
    return table


def _read_secret(path: object) -> SecretStr | Mistake:
    if not isinstance(path, str | Path) or not str(path):
        return Mistake("expected the path of a file", is_in_file=True)
    # What does not look like a path may be the secret itself, given by the wrong name.
    shown = str(path) if str(path).startswith(("/", ".", "~")) else "the file"
    try:
        return SecretOfFile(read_secret(Path(path), shown), Path(path))
    except ValueError as error:
        return Mistake(str(error), is_in_file=True)
