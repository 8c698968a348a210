"""Settings without the environment of the person who runs the tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from watcher.errors import ConfigurationError
from watcher.settings.model import Settings
from watcher.settings.validation import load
from watcher.sources.openai import config as openai_config

Configure = Callable[[str], Settings]
Complain = Callable[[str], Sequence[str]]


def openai(settings: Settings, name: str = "openai") -> openai_config.Config:
    """Return a source of the kind `openai` with the settings of its kind."""
    source = settings.sources[name]
    assert isinstance(source, openai_config.Config)
    return source


_SERVICES = (
    "OPENAI_",
    "AZURE_",
    "TOGETHER_",
    "FIREWORKS_",
    "GOOGLE_CLOUD_",
    "AWS_",
    "REPLICATE_",
    "HF_",
    "NEBIUS_",
    "LITELLM_",
    "MISTRAL_",
    "LOCALAI_",
)
_VARIABLES = ("WATCHER_", "SLACK_", "STATE_DIRECTORY", "XDG_", *_SERVICES)


@pytest.fixture
def set_env(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set variables of the environment."""

    def set_them(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_them


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(_VARIABLES):
            monkeypatch.delenv(name)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "watcher.toml"


@pytest.fixture
def configure(config: Path) -> Configure:
    """Load a configuration."""

    def configured(toml: str) -> Settings:
        config.write_text(toml, encoding="utf-8")
        return load(config)

    return configured


@pytest.fixture
def complain(configure: Configure, config: Path) -> Complain:
    """Load a configuration that is wrong, and return its mistakes without the path of the file."""

    def complained(toml: str) -> Sequence[str]:
        with pytest.raises(ConfigurationError) as caught:
            configure(toml)
        return [mistake.removeprefix(f"{config}: ") for mistake in caught.value.mistakes]

    return complained
