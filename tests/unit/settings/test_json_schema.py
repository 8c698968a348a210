"""The schema and the example of the configuration agree with the code and with each other."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.unit.settings.conftest import Configure
from watcher.plugins import registry
from watcher.plugins.registry import sources
from watcher.settings.json_schema import schema
from watcher.settings.validation import load

CONFIG = Path(__file__).parents[3] / "config"
EXAMPLE = CONFIG / "watcher.toml"
_A_KEY = re.compile(r"^# ((?:\[+[a-z.-]+\]+$)|(?:[a-z_]+ = \S))", re.MULTILINE)
"""A commented setting, as opposed to a sentence."""


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return schema()


def sections(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: section for name, section in described["$defs"].items() if "properties" in section}


def test_the_schema_is_up_to_date(described: dict[str, Any]) -> None:
    """Else run `watcher config schema > config/watcher.schema.json`."""
    committed = (CONFIG / "watcher.schema.json").read_text(encoding="utf-8")
    assert committed == json.dumps(described, indent=2) + "\n"


def test_it_is_of_the_current_draft(described: dict[str, Any]) -> None:
    assert described["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_key_is_described(described: dict[str, Any]) -> None:
    for section in (described, *sections(described).values()):
        for name, key in section["properties"].items():
            target = described["$defs"][key["$ref"].rsplit("/", 1)[1]] if "$ref" in key else key
            assert key.get("description") or target.get("description"), name


def test_unknown_keys_are_refused_everywhere(described: dict[str, Any]) -> None:
    assert all(section["additionalProperties"] is False for section in (described, *sections(described).values()))


def test_a_notifier_is_one_of_the_installed_kinds(described: dict[str, Any]) -> None:
    one_of = described["properties"]["notifiers"]["additionalProperties"]["oneOf"]
    kinds = [described["$defs"][choice["$ref"].rsplit("/", 1)[1]] for choice in one_of]
    assert [kind["properties"]["kind"]["const"] for kind in kinds] == registry.notifiers.kinds()
    assert all("kind" in kind["required"] for kind in kinds)
    (slack,) = (kind for kind in kinds if kind["properties"]["kind"]["const"] == "slack")
    assert {"webhook_url", "webhook_url_file", "statuses", "labels", "first_seen"} <= set(slack["properties"])


def test_a_source_is_one_of_the_installed_kinds(described: dict[str, Any]) -> None:
    """Of the default one where it does not say."""
    one_of = described["properties"]["sources"]["additionalProperties"]["oneOf"]
    kinds = {kind["properties"]["kind"]["const"]: kind for kind in (described["$defs"][c["$ref"][8:]] for c in one_of)}
    assert set(kinds) == set(sources.kinds())
    assert [kind for kind in kinds if "kind" not in kinds[kind].get("required", ())] == ["openai"]
    assert {"endpoint", "api_key", "api_key_file", "token_command", "timeout"} <= set(kinds["azure"]["properties"])


def test_nothing_is_null(described: dict[str, Any]) -> None:
    """TOML has no such value."""
    assert "null" not in json.dumps(described)


def test_the_example_names_its_schema() -> None:
    assert EXAMPLE.read_text(encoding="utf-8").startswith("#:schema ./watcher.schema.json\n")


def test_the_example_loads_as_it_is_and_says_what_the_defaults_are() -> None:
    settings = load(EXAMPLE)
    assert [notifier.kind for notifier in settings.notifiers.values()] == ["stdout"]
    assert settings.model_copy(update={"notifiers": {}}).model_dump() == load(None).model_dump()


def test_the_example_is_right_with_every_comment_taken_away(configure: Configure, tmp_path: Path) -> None:
    text = _A_KEY.sub(r"\1", EXAMPLE.read_text(encoding="utf-8")).replace("url_file = ", "# url_file = ", 1)
    secrets = {
        "watcher-http": "a-token-for-the-pages",
        "openai-api-key": "sk-1",
        "openai-hook": "whsec_c2VjcmV0",
        "azure-api-key": "k",
        "together-api-key": "k",
        "fireworks-api-key": "k",
        "bedrock-api-key": "k",
        "replicate-api-token": "k",
        "huggingface-token": "k",
        "nebius-api-key": "k",
        "mistral-api-key": "k",
        "inhouse-key": "k",
        "inhouse-gate": "g",
        "pager": "whsec_c2VjcmV0LWtleS1vZi10aGUtaG9vay1mb3ItdGVzdHM=",
        "slack": "https://hooks.slack.com/services/T0/B0/x",
        "slack-bot": "xoxb-1",
        "discord": "https://discord.com/api/webhooks/1/x",
        "teams": "https://example.com/workflows/1/triggers/manual?sig=x",
        "ntfy": "https://ntfy.sh/my-topic",
        "mail": "a-password",
        "apprise": "json://example.com/x",
        "ntfy-token": "tk_1",
        "pagerduty": "0123456789abcdef0123456789abcdef",
    }
    for name, secret in secrets.items():
        (tmp_path / name).write_text(secret)
    settings = configure(text.replace("/run/secrets", str(tmp_path)))
    assert sorted(settings.notifiers) == [
        "bridge",
        "chat",
        "console",
        "discord",
        "jobs",
        "mail",
        "oncall",
        "pager",
        "phone",
        "teams",
    ]
    assert sorted(settings.sources) == [
        *("azure", "bedrock", "bedrock-mantle", "fireworks", "huggingface", "inhouse", "litellm", "localai", "mistral"),
        *("nebius", "openai", "proxy", "replicate", "together", "vertex"),
    ]
    assert [job.name for job in settings.jobs] == ["support-bot v3"]


def test_the_example_mentions_every_key(described: dict[str, Any]) -> None:
    """A secret at least by its file."""
    text = EXAMPLE.read_text(encoding="utf-8")
    keys = {key for section in sections(described).values() for key in section["properties"]}
    forgotten = [key for key in keys if not re.search(rf"\b{key}((_file)? = |\]$)", text, re.MULTILINE)]
    assert sorted(forgotten) == []


def test_no_secret_stands_in_the_example_itself() -> None:
    given = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    assert "api_key" not in given["sources"]["openai"]
