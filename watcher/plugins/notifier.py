"""What a notifier plugin is: the settings it takes, and how it is built from them.

A plugin is an entry point in the group `watcher.notifiers`: its name is the `kind` that the settings use, its value
an instance of `Plugin`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from watcher.engine.ports import Clock, Notifier
from watcher.http import HttpClient, Pacer
from watcher.plugins.section import Section

ENTRY_POINT_GROUP = "watcher.notifiers"

C = TypeVar("C", bound=Section)


@dataclass(frozen=True, slots=True)
class Context:
    """What the watcher gives a notifier to work with."""

    name: str
    """The notifier's name in the settings."""
    http: HttpClient
    """A client of the notifier's own, with the bounds that every attempt keeps to (15 s)."""
    pacer: Pacer
    """Shared by all notifiers, for receivers that limit the rate per address."""
    clock: Clock


@dataclass(frozen=True, slots=True)
class Plugin(Generic[C]):
    """A kind of notifier."""

    config: type[C]
    """The settings of this kind; a field of type SecretStr gets its `_file` twin from `Section`."""
    build: Callable[[C, Context], Notifier]
    """Makes a notifier from valid settings. It does no I/O."""
