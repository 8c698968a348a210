"""Services that speak OpenAI's API, each a kind of its own: what differs between them is data, in `presets.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from watcher.domain.states import OPENAI_STATES
from watcher.plugins.source import Source, SourceContext, SourcePlugin, own_words
from watcher.sources.openai.config import ServiceSettings, ServiceUrl
from watcher.sources.openai.endpoint import Access

HostPart = Annotated[str, Field(pattern="^[A-Za-z0-9-]{1,63}$")]
"""What stands between the dots of a host's name."""


@dataclass(frozen=True, slots=True)
class Preset:
    """What is known of a service: see `presets.toml`."""

    title: str
    base_url: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    needs_key: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    needs_query: Mapping[str, str] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    newest_first: bool = False
    expired: tuple[int, ...] = (401,)

    def key_variable(self) -> str:
        """Return the variable that its users keep their key in."""
        return next(variable for variable, setting in self.variables.items() if setting == "api_key")


class PresetSettings(ServiceSettings):
    """A service that speaks OpenAI's API."""

    preset: ClassVar[Preset]

    @model_validator(mode="after")
    def _check_needs(self) -> Self:
        missing = [name for name in self.preset.settings if self._is_at_its_place() and not getattr(self, name)]
        if missing:
            raise PydanticCustomError("mistake", "{name} is missing: give it, or base_url", {"name": missing[0]})
        for name, choice in self.preset.needs_query.items():
            if not self.access().parameters().get(name):
                raise PydanticCustomError(
                    "mistake", "query.{name} is missing: expected {choice}", {"name": name, "choice": choice}
                )
        return self

    def access(self) -> Access:
        """Return where the service is, and who asks."""
        cert, key = self.certificate()
        is_at_its_place = self._is_at_its_place()
        return Access(
            self.base_url.format_map(dict(self)) if is_at_its_place else self.base_url,
            self.credential(),
            query=self.query,
            client_cert_file=cert,
            client_key_file=key,
            key_variable=self.preset.key_variable() if is_at_its_place and self.preset.needs_key else None,
        )

    def _is_at_its_place(self) -> bool:
        return self.base_url == self.preset.base_url


def __getattr__(name: str) -> SourcePlugin[Any]:
    """Return the plugin of a kind: entry points name it with `_` for `-`."""
    kind = name.replace("_", "-")
    if kind not in presets():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return plugin_of(kind)


@cache
def plugin_of(kind: str) -> SourcePlugin[Any]:
    """Return the plugin of a kind that `presets.toml` describes."""
    preset = Preset(**presets()[kind])
    return SourcePlugin(_settings_of(kind, preset), _build, OPENAI_STATES, preset.variables, event_word=own_words)


@cache
def presets() -> dict[str, dict[str, Any]]:
    """Return what `presets.toml` says of each kind."""
    return tomllib.loads(files(__package__).joinpath("presets.toml").read_text(encoding="utf-8"))


def _settings_of(kind: str, preset: Preset) -> type[PresetSettings]:
    described = ServiceSettings.model_fields["base_url"].description
    fields: dict[str, Any] = {"base_url": (ServiceUrl, Field(preset.base_url or ..., description=described))}
    for name, description in preset.settings.items():
        fields[name] = HostPart | None, Field(None, description=description)
    name = f"{kind.capitalize()}Settings"
    settings = create_model(name, __base__=PresetSettings, __doc__=f"{preset.title}.", **fields)
    settings.preset = preset
    return cast("type[PresetSettings]", settings)


def _build(config: PresetSettings, context: SourceContext) -> Source:
    """Make a source. Raises ConfigurationError."""
    # Reading the settings alone needs no HTTP.
    from watcher.sources.http_source import HttpSource
    from watcher.sources.openai.dialect import dialect_without

    preset = config.preset
    dialect = dialect_without(preset.lacks, newest_first=preset.newest_first, expired=preset.expired)
    return HttpSource(config.access().endpoint(context.name), dialect, context)
