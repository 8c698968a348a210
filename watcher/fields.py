"""The kinds of values that settings are made of, for the watcher's own settings and for those of plugins."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    PlainSerializer,
    SecretStr,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from watcher.domain.durations import DURATION_RULE, parse_duration, write_duration

FILE_SUFFIX = "_file"
"""What turns the name of a secret into the name of its twin, which holds the path of a file."""

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
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
    secrets and systemd credentials are. White space around the secret is dropped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)

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
            if values.get(name) is not None:
                raise ValueError(f"give either {name} or {name}{FILE_SUFFIX}, not both")
            values[name] = _read_secret(name + FILE_SUFFIX, path)
        return values

    @classmethod
    def secret_names(cls) -> list[str]:
        """Name the fields that hold a secret."""
        # A table of secrets is no secret itself: no one file could hold it.
        fields = {name: field.annotation for name, field in cls.model_fields.items()}
        return [name for name, kind in fields.items() if "SecretStr" in str(kind) and get_origin(kind) is not dict]

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> JsonSchemaValue:
        """Describe the `_file` twins too."""
        json_schema = handler.resolve_ref_schema(handler(schema))
        for name in cls.secret_names():
            json_schema["properties"][name + FILE_SUFFIX] = {
                "type": "string",
                "format": "path",
                "description": f"The path of a file that holds {name}.",
            }
        if required := [name for name in json_schema.get("required", []) if name not in cls.secret_names()]:
            json_schema["required"] = required
        else:
            json_schema.pop("required", None)
        return json_schema


def _read_secret(key: str, path: object) -> SecretStr:
    try:
        secret = Path(str(path)).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"{key}: cannot read {path}: {why}") from None
    if not secret:
        raise ValueError(f"{key}: {path} is empty")
    return SecretStr(secret)
