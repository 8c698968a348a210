"""Simulated services of every kind: how a source is told where one is, and the words that it has for a script's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import DialectName

_SETTINGS: Mapping[DialectName, Callable[[str], dict[str, Any]]] = {
    DialectName.OPENAI: lambda url: {"base_url": url},
    DialectName.AZURE: lambda url: {"endpoint": url},
    DialectName.TOGETHER: lambda url: {"base_url": url},
    DialectName.FIREWORKS: lambda url: {"base_url": url, "account": "example"},
    DialectName.VERTEX: lambda url: {"base_url": url, "project": "my-project"},
    DialectName.BEDROCK: lambda url: {"base_url": url, "region": "us-east-1"},
    DialectName.REPLICATE: lambda url: {"base_url": url},
    DialectName.HUGGINGFACE: lambda url: {"endpoint": url, "namespace": "example"},
    DialectName.MISTRAL: lambda url: {"base_url": url},
    DialectName.LOCALAI: lambda url: {"base_url": url},
}


def settings_for(api: FineTuningApi) -> dict[str, Any]:
    """Return the settings of a source that asks a simulated service, without its kind and its key."""
    return _SETTINGS[api.script.dialect](api.base_url)


def word_of(dialect: DialectName, status: str) -> str:
    """Return what a service calls a status of a script."""
    words: Mapping[str, str] = getattr(import_module(f"watcher.simulator.dialects.{dialect}"), "WORDS", {})
    return words.get(status, status)
