"""Fixtures that tests of several packages use."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Install = Callable[[str, str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package of one module with one kind of notifier, for the duration of the test."""
    yield from _install("watcher.notifiers", tmp_path, monkeypatch)


@pytest.fixture
def install_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package of one module with one kind of source, for the duration of the test."""
    yield from _install("watcher.sources", tmp_path, monkeypatch)


@pytest.fixture
def without_collections() -> Iterator[None]:
    """Free only what nothing refers to."""
    gc.unfreeze()  # what another test had Python leave out would come back in the middle of this one
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _install(group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    modules: list[str] = []

    def put(package: str, kind: str, source: str) -> None:
        module = package.replace("-", "_")
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-0.3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.3\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{kind} = {module}:plugin\n")

    monkeypatch.syspath_prepend(str(tmp_path))
    yield put
    for module in modules:
        sys.modules.pop(module, None)
