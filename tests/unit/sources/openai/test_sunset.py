"""Who watches jobs at OpenAI is told when new ones end; who watches them elsewhere is not."""

from __future__ import annotations

import pytest

from watcher.sources.openai.config import Config
from watcher.sources.openai.plugin import plugin
from watcher.sources.openai.sunset import PAGE


@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "https://eu.api.openai.com/v1"])
def test_openai_is_meant(url: str) -> None:
    notice = plugin.notice(Config(base_url=url))
    assert notice is not None
    assert "2027-01-06" in notice
    assert notice.endswith(PAGE)


@pytest.mark.parametrize("url", ["https://example.openai.azure.com/v1", "https://api.openai.com.example.com/v1"])
def test_other_services_are_not(url: str) -> None:
    assert plugin.notice(Config(base_url=url)) is None
