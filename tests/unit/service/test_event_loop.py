"""The service runs on uvloop where that is installed."""

from __future__ import annotations

import asyncio
import importlib.util

import pytest
import uvloop

from watcher.errors import ConfigurationError
from watcher.service.event_loop import loop_factory


@pytest.fixture
def without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)


@pytest.mark.parametrize("wish", [{}, {"WATCHER_EVENT_LOOP": "uvloop"}])
def test_uvloop_is_used_where_it_is_installed(wish: dict[str, str]) -> None:
    with asyncio.Runner(loop_factory=loop_factory(wish)) as runner:
        assert isinstance(runner.get_loop(), uvloop.Loop)


def test_asyncio_is_used_on_request() -> None:
    assert loop_factory({"WATCHER_EVENT_LOOP": "asyncio"}) is None


@pytest.mark.usefixtures("without_uvloop")
def test_asyncio_is_used_where_there_is_nothing_else() -> None:
    assert loop_factory({}) is None


@pytest.mark.usefixtures("without_uvloop")
def test_uvloop_that_is_wanted_and_not_installed_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"install finetune-watcher\[uvloop\]"):
        loop_factory({"WATCHER_EVENT_LOOP": "uvloop"})


def test_an_unknown_loop_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="must be asyncio or uvloop"):
        loop_factory({"WATCHER_EVENT_LOOP": "trio"})
