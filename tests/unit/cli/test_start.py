"""What a command loads before it asks for the first time: each of these takes milliseconds that nobody waits for."""

from __future__ import annotations

import subprocess
import sys

import pytest

LATER = {
    "watcher.cli.watch, watcher.sources.openai.dialect, watcher.http.pyreqwest_transport": (
        "apscheduler",
        "html.entities",
        "pydantic",
        "sqlalchemy",
        "structlog",
        "tenacity",
        "watcher.domain.polling_policy",
        "watcher.domain.telemetry",
        "watcher.engine.ports",
    ),
    "watcher.cli.run, watcher.service.daemon, watcher.settings.validation": ("alembic", "apscheduler", "tenacity"),
}


@pytest.mark.parametrize("first", LATER)
def test_what_is_not_needed_to_ask_is_loaded_later(first: str) -> None:
    code = f"import sys; before = set(sys.modules); import {first}; print(*(sys.modules.keys() - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(LATER[first]) & set(loaded) == set()
    assert "watcher.engine.runtime" in loaded
