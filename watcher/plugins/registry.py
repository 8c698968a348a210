"""The installed plugins, by kind. Built-in ones are found like any other: as entry points."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeGuard, TypeVar

from watcher.errors import ConfigurationError
from watcher.plugins import notifier, source

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class PluginOrigin:
    """Where an installed plugin comes from."""

    module: str
    package: str
    """The package that provides it, and its version."""


class Registry(Generic[P]):
    """The installed plugins of one group of entry points."""

    def __init__(self, what: str, group: str, plugin_type: type[P]) -> None:
        self.what = what
        """What a plugin of the group makes, for error messages."""
        self._group = group
        self._type = plugin_type

    def kinds(self) -> list[str]:
        """Name the installed kinds, without importing any."""
        return sorted(self._installed())

    def plugin(self, kind: str) -> P:
        """Return the plugin of this kind, importing no other one.

        Raises ConfigurationError when no such kind is installed, or its plugin cannot be used.
        """
        installed = self._installed()
        if kind not in installed:
            raise ConfigurationError(self._unknown(kind, sorted(installed)))
        return self._load(kind, installed[kind])

    def origin_of(self, kind: str) -> PluginOrigin:
        """Say where the plugin of an installed kind comes from."""
        entry = self._installed()[kind][0]
        return PluginOrigin(entry.module, _package(entry))

    def _installed(self) -> dict[str, list[EntryPoint]]:
        installed: dict[str, list[EntryPoint]] = {}
        for entry in _entries_of(self._group, tuple(map(_as_it_stands, sys.path))):
            installed.setdefault(entry.name, []).append(entry)
        return installed

    def _load(self, kind: str, entries: list[EntryPoint]) -> P:
        if len(entries) > 1:
            packages = " and ".join(sorted(map(_package, entries)))
            raise ConfigurationError(f"{self.what} kind {kind!r} is brought by {packages}: uninstall all but one")
        try:
            loaded = entries[0].load()
        except Exception as error:  # importing a foreign module may raise anything
            raise ConfigurationError(self._broken(kind, entries[0], f"{type(error).__name__}: {error}")) from error
        if not self._is_plugin(loaded):
            right = f"{self._type.__module__}.{self._type.__name__} with settings made from Section"
            raise ConfigurationError(self._broken(kind, entries[0], f"{entries[0].value} is not a {right}"))
        return loaded

    def _is_plugin(self, loaded: object) -> TypeGuard[P]:
        if not isinstance(loaded, self._type):
            return False
        return _is_section(getattr(loaded, "config", None)) and callable(getattr(loaded, "build", None))

    def _broken(self, kind: str, entry: EntryPoint, wrong: str) -> str:
        return f"{self.what} kind {kind!r} of {_package(entry)} cannot be used: {wrong}"

    def _unknown(self, kind: str, installed: list[str]) -> str:
        near = get_close_matches(kind, installed, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        return f"no {self.what} of kind {kind!r} is installed: there are {', '.join(installed)}.{guess}"


notifiers: Registry[notifier.Plugin[Any]] = Registry("notifier", notifier.ENTRY_POINT_GROUP, notifier.Plugin)
"""The kinds of notifiers."""
sources: Registry[source.SourcePlugin[Any]] = Registry("source", source.ENTRY_POINT_GROUP, source.SourcePlugin)
"""The kinds of sources."""


@lru_cache(maxsize=8)
def _entries_of(group: str, places: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:  # noqa: ARG001 - the key
    """Look through what is installed, which reads the metadata of every package: again when a place has changed."""
    return tuple(entry_points(group=group))


def _as_it_stands(place: str) -> tuple[str, int]:
    """Return a place of packages with the time of its last change: of what was installed or removed there."""
    try:
        return place, os.stat(place or ".").st_mtime_ns  # noqa: PTH116 - a Path costs more than the look
    except OSError:
        return place, 0


def _is_section(config: object) -> bool:
    from watcher.plugins.section import Section

    return isinstance(config, type) and issubclass(config, Section)


def _package(entry: EntryPoint) -> str:
    return f"the package {entry.dist.name} {entry.dist.version}" if entry.dist else "an unnamed package"
