"""The JSON Schema of the configuration file, for editors."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Union

from pydantic import create_model
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from watcher.domain.durations import write_duration
from watcher.settings.model import Settings
from watcher.settings.validation import NOTIFIERS, SOURCES, Kinds
from watcher.settings.values import Name


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration file, with the settings of every installed kind."""
    fields: dict[str, Any] = {kinds.section: _entries_of(kinds) for kinds in (SOURCES, NOTIFIERS)}
    whole = create_model("Settings", __base__=Settings, __doc__=Settings.__doc__, **fields)
    document = whole.model_json_schema(schema_generator=_SchemaOfToml)
    for section in fields:
        values = document["properties"][section]["additionalProperties"]
        values["oneOf"] = values.pop("anyOf")  # the kinds exclude each other
    return {"$schema": GenerateJsonSchema.schema_dialect, **document}


def _entries_of(kinds: Kinds[Any]) -> Any:
    some_kind: Any = Union[tuple(map(kinds.model_of, kinds.registry.kinds()))]  # noqa: UP007 - made at run time
    return dict[Name, some_kind], Settings.model_fields[kinds.section]


class _SchemaOfToml(GenerateJsonSchema):
    """Leaves out what TOML has not: null. And titles, which only repeat the keys; and writes durations as people do."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        json_schema = super().default_schema(schema)
        if json_schema.get("default", ...) is None:
            del json_schema["default"]
        return json_schema

    def encode_default(self, dft: Any) -> Any:
        return write_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - overrides
        return False
