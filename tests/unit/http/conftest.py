"""All promises about HTTP hold for both transports."""

from __future__ import annotations

import importlib

import pytest

# httpx loads them with its first connection, which takes longer than the shortest timeouts here.
for module in ("httpcore", "anyio._backends._asyncio"):
    importlib.import_module(module)


@pytest.fixture(params=["pyreqwest", "httpx"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have clients use one transport, then the other."""
    monkeypatch.setenv("WATCHER_HTTP_TRANSPORT", request.param)
    return str(request.param)
