"""What is shown of the settings in force, and what the log must hide."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.unit.settings.conftest import Configure
from watcher.plugins.section import Section
from watcher.settings.display import masked, secrets_of, to_toml
from watcher.settings.model import Settings
from watcher.settings.validation import load

KEYS = ["whsec_c2VjcmV0LWtleS1vZi10aGUtaG9vay1mb3ItdGVzdHM=", "whsec_bmV4dC1zZWNyZXQta2V5LW9mLXRoZS1ob29rLWZvci10"]
FULL = f"""
[sources.openai]
base_url = "http://h/v1"
api_key = "sk-very-secret"
client_cert_file = "/etc/c.pem"
[store]
url = "postgresql://ann:p%40ss@db.example:5432/watcher?sslmode=require"
[polling]
interval = "90s"
[[jobs]]
id = "ftjob-1"
labels = {{ team = "nlp", token = "abcd-efgh" }}
[notifiers.hook]
kind = "webhook"
url = "https://bob:sesame@hooks.example/a/bcdefgh?k=v"
secret = "{" ".join(KEYS)}"
headers = {{ Authorization = "Bearer tok-12345" }}
[notifiers.chat]
kind = "slack"
webhook_url = "https://hooks.slack.example/T0/B0/xyz"
statuses = ["failed"]
"""


class Lamp(Section):
    """A section there may be one day."""

    fuse: SecretStr


class Lit(Settings):
    """Settings with one section more."""

    lamp: Lamp


def test_what_is_in_force_is_shown_without_secrets(configure: Configure) -> None:
    shown = masked(configure(FULL))
    assert shown["sources"] == {
        "openai": {
            "base_url": "http://h/v1",
            "api_key": "***",
            "kind": "openai",
            "timeout": "15s",
            "strategy": "auto",
            "progress": True,
            "private_fields": False,
            "client_cert_file": "/etc/c.pem",
            "lists": "jobs",
        }
    }
    assert shown["polling"] == {"interval": "1m30s", "cadence": "adaptive"}
    assert shown["store"] == {
        "url": "postgresql://***@db.example:5432/watcher?sslmode=require",
        "retention": "90d",
        "metrics_retention": "30d",
    }
    assert shown["jobs"] == [{"id": "ftjob-1", "source": "openai", "labels": {"team": "nlp", "token": "***"}}]
    assert shown["notifiers"]["hook"].items() >= {"kind": "webhook", "url": "***", "secret": "***"}.items()
    assert shown["notifiers"]["hook"]["headers"] == {"Authorization": "***"}
    assert shown["notifiers"]["chat"]["webhook_url"] == "***"
    assert shown["notifiers"]["chat"]["statuses"] == ["failed"]
    assert "labels" not in shown["notifiers"]["chat"]


def test_it_is_shown_as_toml_that_can_be_read_again(configure: Configure) -> None:
    shown = masked(configure(FULL))
    assert tomllib.loads(to_toml(shown)) == shown


def test_the_store_is_shown_even_if_nobody_chose_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/watcher")
    assert masked(load(None))["store"]["url"] == "sqlite:////var/lib/watcher/watcher.db"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://db/watcher?user=ann&password=sesame", "postgresql://db/watcher?user=ann&password=***"),
        ("postgresql://ann:a%2Fb%40c@db/watcher", "postgresql://***@db/watcher"),
        ("postgresql://ann@db/watcher", "postgresql://***@db/watcher"),
        ("sqlite:////srv/w.db", "sqlite:////srv/w.db"),
    ],
)
def test_a_password_in_the_url_of_the_store_is_masked(url: str, shown: str, configure: Configure) -> None:
    assert masked(configure(f'[store]\nurl = "{url}"'))["store"]["url"] == shown


def test_the_log_is_told_every_secret_and_its_telling_parts(configure: Configure) -> None:
    assert secrets_of(configure(FULL)) == {
        "sk-very-secret",
        "p%40ss",
        "p@ss",
        "https://bob:sesame@hooks.example/a/bcdefgh?k=v",
        "sesame",
        " ".join(KEYS),
        *KEYS,
        "Bearer tok-12345",
        "Bearer",
        "tok-12345",
        "https://hooks.slack.example/T0/B0/xyz",
    }


def test_no_secret_is_in_any_picture_of_the_settings(configure: Configure) -> None:
    settings = configure(FULL)
    pictures = f"{settings!r} {settings} {settings.notifiers} {settings.model_dump_json()} {masked(settings)}"
    assert [secret for secret in secrets_of(settings) - {"Bearer"} if secret in pictures] == []


def test_every_section_but_the_store_is_searched_for_secrets() -> None:
    """A new section with a secret cannot be forgotten."""
    hidden = secrets_of(Lit.model_validate({"lamp": {"fuse": "s-fuse"}, "store": {"url": "sqlite:////srv/w.db"}}))
    assert hidden == {"s-fuse"}


def test_each_of_several_secrets_is_known(configure: Configure) -> None:
    """As they stand in a header of several values."""
    toml = '[notifiers.a]\nkind = "webhook"\nurl = "http://h"\nheaders = { X-Keys = "first,second" }'
    assert {"first,second", "first", "second"} <= secrets_of(configure(toml))


def test_what_has_no_order_is_shown_in_order(configure: Configure) -> None:
    assert masked(configure('[notifiers.a]\nkind = "stdout"'))["notifiers"]["a"]["events"] == ["jobs", "watcher"]


def test_secrets_from_files_are_known_too(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-of-file\n")
    assert secrets_of(configure(f'[sources.a]\napi_key_file = "{tmp_path / "key"}"')) == {"sk-of-file"}
