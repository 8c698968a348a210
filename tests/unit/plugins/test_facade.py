"""The one import of a plugin author: everything it promises is there, and nothing is loaded before it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import watcher.plugins


@pytest.mark.parametrize("name", watcher.plugins.__all__)
def test_what_is_promised_is_there(name: str) -> None:
    assert getattr(watcher.plugins, name) is not None


def test_it_says_what_it_has() -> None:
    assert dir(watcher.plugins) == sorted(watcher.plugins.__all__)


def test_what_it_has_not_is_missing_as_in_any_module() -> None:
    with pytest.raises(AttributeError, match=r"module 'watcher\.plugins' has no attribute 'Plugin'"):
        _ = watcher.plugins.Plugin
    with pytest.raises(ImportError):
        exec("from watcher.plugins import Sections")


def test_nothing_is_loaded_before_it_is_asked_for() -> None:
    program = "import sys; from watcher.plugins import StateMap, SourcePlugin; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert {"pydantic", "httpx", "watcher.sources", "watcher.notifiers"}.isdisjoint(done.stdout.split())
