"""The JSON Schema of the configuration file, for editors."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Union

from pydantic import create_model
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from watcher.domain.durations import write_duration
from watcher.settings.model import Settings
from watcher.settings.validation import notifier_model
from watcher.settings.values import Name


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration file, with the settings of every installed kind of notifier."""
    from watcher.plugins.registry import kinds

    some_kind: Any = Union[tuple(map(notifier_model, kinds()))]  # noqa: UP007 - made at run time
    notifiers: Any = (dict[Name, some_kind], Settings.model_fields["notifiers"])
    whole = create_model("Settings", __base__=Settings, __doc__=Settings.__doc__, notifiers=notifiers)
    document = whole.model_json_schema(schema_generator=_SchemaOfToml)
    values = document["properties"]["notifiers"]["additionalProperties"]
    values["oneOf"] = values.pop("anyOf")  # the kinds exclude each other
    return {"$schema": GenerateJsonSchema.schema_dialect, **document}


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
