"""A notifier may come from the environment alone, where none is configured."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.unit.conftest import Install
from tests.unit.settings.conftest import Complain, Configure
from watcher.settings.validation import load

URL = "https://hooks.slack.com/services/T0/B0/x"
BROKEN = "raise RuntimeError"


def names(configured: Sequence[str]) -> list[str]:
    return sorted(configured)


def test_the_address_of_slack_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", f" {URL} ")
    settings = load(None)
    assert {name: notifier.kind for name, notifier in settings.notifiers.items()} == {"slack": "slack"}
    assert settings.notifiers["slack"].webhook_url.get_secret_value() == URL  # type: ignore[attr-defined]


def test_a_configured_notifier_is_the_only_one(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", URL)
    assert names(list(configure("[notifiers.a]\nkind = 'stdout'").notifiers)) == ["a"]
    assert names(list(configure("[notifiers]").notifiers)) == []


def test_a_variable_without_content_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", " ")
    assert load(None).notifiers == {}


def test_a_wrong_address_is_a_mistake_of_its_variable(complain: Complain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "hooks.slack.com/x")
    (mistake,) = complain("")
    assert mistake.startswith("environment: SLACK_WEBHOOK_URL: expected an address that starts with http")


def test_a_kind_that_cannot_be_used_gives_nothing(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", URL)
    monkeypatch.setenv("THEIRS_URL", URL)
    install("their-plugin", "theirs", BROKEN)
    assert names(list(load(None).notifiers)) == ["slack"]
