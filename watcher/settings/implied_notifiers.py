"""Notifiers that the environment alone describes, where none is configured."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from watcher.errors import ConfigurationError
from watcher.plugins.registry import notifiers

_SECTION = "notifiers"


def given_by_variables(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the notifiers that variables describe, named by their kinds; none where any layer speaks of notifiers."""
    if any(_SECTION in layer for layer in layers):
        return {}
    given = {kind: {"kind": kind, **values} for kind in notifiers.kinds() if (values := _values(kind))}
    return {_SECTION: given} if given else {}


def variable_of(kind: str, setting: str) -> str | None:
    """Return the variable that gives a setting of a kind."""
    return next((variable for variable, given in _variables(kind).items() if given == setting), None)


def _values(kind: str) -> dict[str, str]:
    found = {setting: os.environ.get(variable, "").strip() for variable, setting in _variables(kind).items()}
    return found if all(found.values()) else {}


def _variables(kind: str) -> Mapping[str, str]:
    # To load a kind that has no variable here would only take time.
    if not any(name.startswith(f"{kind.upper()}_") for name in os.environ):
        return {}
    try:
        return notifiers.plugin(kind).variables
    except ConfigurationError:
        return {}  # a kind that cannot be used is told where it is used
