"""Whatever is promised of the way out holds for both transports."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["pyreqwest", "httpx"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have clients use one transport, then the other."""
    monkeypatch.setenv("WATCHER_HTTP_TRANSPORT", request.param)
    return str(request.param)
