"""Which sources there are, of which kind, and what the environment variables that a kind knows give to them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from watcher.errors import ConfigurationError
from watcher.plugins.registry import sources
from watcher.plugins.source import DEFAULT_KIND, DEFAULT_SOURCE

Layer = Mapping[str, Any]
KIND = "kind"


def kinds_by_name(layers: Sequence[Layer]) -> dict[str, str]:
    """Return the sources that are named by their kind, and so take the variables of that kind.

    The default source is one of them unless it says otherwise. One that only a job speaks of needs no settings.
    """
    names = dict.fromkeys(
        [DEFAULT_SOURCE, *implied_kinds(layers), *(name for layer in layers for name in _names(layer))]
    )
    return {name: name for name in names if _kind_of(name, layers) == name}


def given_by_variables(layers: Sequence[Layer]) -> dict[str, Any]:
    """Return the sources that are named by their kind, with what the variables of the environment give them."""
    given: dict[str, Any] = {}
    for name, kind in kinds_by_name(layers).items():
        values = _values(variables_set(kind))
        is_implied = kind != DEFAULT_KIND and not any(_settings(name, layers))
        if found := {KIND: kind, **values} if is_implied else values:
            given[name] = found
    return {"sources": given} if given else {}


def implied_kinds(layers: Sequence[Layer]) -> list[str]:
    """Name the kinds that the environment alone describes, where nothing says what to watch and the default has no key.

    Only what has a key and lacks nothing counts: people also have keys for other things than fine-tuning. Of kinds that
    share a key the first one does.
    """
    is_anything_said = any(section in layer for layer in layers for section in ("sources", "jobs", "watch"))
    if is_anything_said or "api_key" in variables_set(DEFAULT_KIND):
        return []
    found = {key: kind for kind in reversed(sources.kinds()) if kind != DEFAULT_KIND and (key := _key_of(kind))}
    return sorted(found.values())


def variables_set(kind: str) -> dict[str, str]:
    """Return the settings that the environment gives to a kind of source, with the variable that gives each."""
    found: dict[str, str] = {}
    for variable, setting in _variables(kind).items():
        if os.environ.get(variable, "").strip():
            found.setdefault(setting, variable)
    return found


def without_kind(given: Layer) -> list[str]:
    """Name the sources that are called like a kind and have settings, but do not say whether they are of that kind."""
    installed = _installed()
    return [
        name
        for name in dict.fromkeys(_names(given))
        if name != DEFAULT_KIND
        and name in installed
        and any(_settings(name, [given]))
        and not _kinds_said(name, [given])
    ]


def _key_of(kind: str) -> str | None:
    """Return the variable that holds the key of a kind; None where the environment does not describe it whole."""
    variables = variables_set(kind)
    key = next((variables[setting] for setting in _KEYS if setting in variables), None)
    if key is None:
        return None
    try:
        sources.plugin(kind).config.model_validate(_values(variables))
    except ValueError:
        return None
    return key


def _values(variables: Mapping[str, str]) -> dict[str, str]:
    return {setting: os.environ[variable].strip() for setting, variable in variables.items()}


_KEYS = ("api_key", "token")


def _kind_of(name: str, layers: Sequence[Layer]) -> object:
    """Return the kind that a source says it has, or has by its name; None for one whose kind is not its name."""
    if said := _kinds_said(name, layers):
        return said[0]
    is_alone = name in _installed() and not any(_settings(name, layers))
    return name if is_alone or name == DEFAULT_KIND else None


def _kinds_said(name: str, layers: Sequence[Layer]) -> list[object]:
    return [values[KIND] for values in _settings(name, layers) if KIND in values]


def _settings(name: str, layers: Sequence[Layer]) -> Iterator[Mapping[str, Any]]:
    for layer in layers:
        values = _table(layer, "sources").get(name)
        if isinstance(values, Mapping):
            yield values
        elif values is not None:
            yield {"": values}  # something, if no table


def _names(layer: Layer) -> Iterator[str]:
    """Name the sources that a layer speaks of."""
    yield from _table(layer, "sources")
    entries = [entry for section in ("jobs", "watch") for entry in _list(layer, section)]
    installed = _installed()
    for entry in entries:
        source = entry.get("source") if isinstance(entry, Mapping) else None
        # One that is not installed is not implied: the unknown source is reported where it is named.
        if isinstance(source, str) and source in installed:
            yield source


def _list(layer: Layer, section: str) -> Sequence[Any]:
    entries = layer.get(section)
    return entries if isinstance(entries, list | tuple) else ()


def _table(layer: Layer, section: str) -> Mapping[str, Any]:
    table = layer.get(section)
    return table if isinstance(table, Mapping) else {}


def _variables(kind: str) -> Mapping[str, str]:
    try:
        return sources.plugin(kind).variables
    except ConfigurationError:
        return {}  # an unusable kind is reported when the settings of the source are read


def _installed() -> frozenset[str]:
    """Look up which kinds there are: that reads the metadata of every installed package, too slow for each job."""
    return frozenset(sources.kinds())
