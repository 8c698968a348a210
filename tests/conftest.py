"""Markers by directory and fixture, the default selection, and what to do about a missing dependency group."""

from __future__ import annotations

import os
from pathlib import Path

import freezegun
import hypothesis
import pytest

from tests.availability import skip_for_missing_groups

ROOT = Path(__file__).parent
DEFAULT_SELECTION = "not postgresql and not process and not system and not upgrade"
"""As in pyproject.toml."""
MARKERS = {
    "e2e": "process",
    "contract/notifiers/test_third_party.py": "process",
    "contract/sources/test_third_party.py": "process",
    "deploy": "system",
    "unit/server/test_openapi.py": "system",
}
"""The marker of every test of a directory or file."""
SERVER_FIXTURES = {"server", "own_server", "postgresql_url", "ready_database", "newer_database"}
"""The fixtures that start a PostgreSQL server."""


def pytest_configure(config: pytest.Config) -> None:
    """Select all tests of the files and directories that the command line names; choose the profile of hypothesis."""
    skip_for_missing_groups()
    # It asks every module for all of its names, and this one would load those of the sources while time stands still.
    freezegun.configure(extend_ignore_list=["watcher.plugins"])
    assert all((ROOT / name).exists() for name in MARKERS), "a name in MARKERS has moved"
    if config.args_source is pytest.Config.ArgsSource.ARGS and _is_default(config):
        config.option.markexpr = ""
    hypothesis.settings.register_profile("default", derandomize=True, deadline=None, max_examples=15)
    hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, max_examples=100)
    hypothesis.settings.register_profile("explore", print_blob=True, deadline=None)
    hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "default"))


def pytest_report_header(config: pytest.Config) -> str | None:
    """Return what the default selection leaves out."""
    return f'selected: {DEFAULT_SELECTION}; `uv run pytest -m ""` runs all' if _is_default(config) else None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import what the default selection leaves out as a whole."""
    return True if _is_default(config) and _marker_of(collection_path) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests before the selection by markers takes place, and run those first that wait longest."""
    for item in items:
        if marker := _marker_of(item.path):
            item.add_marker(marker)
        if _needs_server(item):
            item.add_marker("postgresql")
        if any(value.startswith("newer ") for value in _parameters(item)):
            item.add_marker("upgrade")
    items.sort(key=lambda item: _marker_of(item.path) is None)


def _is_default(config: pytest.Config) -> bool:
    return bool(config.option.markexpr == DEFAULT_SELECTION)


def _marker_of(path: Path) -> str | None:
    return next((marker for name, marker in MARKERS.items() if path.is_relative_to(ROOT / name)), None)


def _parameters(item: pytest.Item) -> list[str]:
    """Return the parameters of a test that are texts."""
    values = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return [value for value in values if isinstance(value, str)]


def _needs_server(item: pytest.Item) -> bool:
    by_parameter = any(value.endswith("postgresql") for value in _parameters(item))
    return by_parameter or not SERVER_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
