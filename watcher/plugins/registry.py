"""The installed notifier plugins, by kind. Built-in ones are found like any other: as entry points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeGuard

from watcher.errors import ConfigurationError
from watcher.plugins.notifier import ENTRY_POINT_GROUP, Plugin
from watcher.plugins.section import Section


def kinds() -> list[str]:
    """Name the installed kinds of notifiers, without importing any."""
    return sorted(_installed())


def plugin(kind: str) -> Plugin[Any]:
    """Return the plugin of this kind, importing no other one.

    Raises ConfigurationError when no such kind is installed, or its plugin cannot be used.
    """
    installed = _installed()
    if kind not in installed:
        raise ConfigurationError(_unknown(kind, sorted(installed)))
    return _load(kind, installed[kind])


@dataclass(frozen=True, slots=True)
class PluginOrigin:
    """Where an installed plugin comes from."""

    module: str
    package: str
    """The package that brings it, and its version, in words."""


def origin_of(kind: str) -> PluginOrigin:
    """Say where the plugin of an installed kind comes from."""
    entry = _installed()[kind][0]
    return PluginOrigin(entry.module, _package(entry))


def load_plugins() -> Mapping[str, Plugin[Any]]:
    """Return every installed plugin by its kind. Raises ConfigurationError that names all that cannot be used."""
    plugins: dict[str, Plugin[Any]] = {}
    mistakes: list[str] = []
    for kind, entries in sorted(_installed().items()):
        try:
            plugins[kind] = _load(kind, entries)
        except ConfigurationError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigurationError(*mistakes)
    return plugins


def _installed() -> Mapping[str, list[EntryPoint]]:
    installed: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        installed.setdefault(entry.name, []).append(entry)
    return installed


def _load(kind: str, entries: list[EntryPoint]) -> Plugin[Any]:
    if len(entries) > 1:
        packages = " and ".join(sorted(map(_package, entries)))
        raise ConfigurationError(f"notifier kind {kind!r} is brought by {packages}: uninstall all but one")
    try:
        loaded = entries[0].load()
    except Exception as error:  # importing somebody else's module may raise anything
        raise ConfigurationError(_broken(kind, entries[0], f"{type(error).__name__}: {error}")) from error
    if not _is_plugin(loaded):
        wrong = f"{entries[0].value} is not a watcher.plugins.notifier.Plugin with settings made from Section"
        raise ConfigurationError(_broken(kind, entries[0], wrong))
    return loaded


def _is_plugin(loaded: object) -> TypeGuard[Plugin[Any]]:
    return isinstance(loaded, Plugin) and _is_section(loaded.config) and callable(loaded.build)


def _is_section(config: object) -> bool:
    return isinstance(config, type) and issubclass(config, Section)


def _broken(kind: str, entry: EntryPoint, wrong: str) -> str:
    return f"notifier kind {kind!r} of {_package(entry)} cannot be used: {wrong}"


def _package(entry: EntryPoint) -> str:
    return f"the package {entry.dist.name} {entry.dist.version}" if entry.dist else "an unnamed package"


def _unknown(kind: str, installed: list[str]) -> str:
    near = get_close_matches(kind, installed, n=1)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    return f"no notifier of kind {kind!r} is installed: there are {', '.join(installed)}.{guess}"
