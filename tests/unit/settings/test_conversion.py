"""What the settings mean to the parts of the program: which jobs are watched without being named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.settings.conftest import Configure
from watcher.domain.discovery import Matcher, Rule, watch_all
from watcher.settings.conversion import discovery_rules, sources_used
from watcher.settings.display import masked

WHOLE = """
[sources.together]
kind = "together"
api_key = "key"

[[watch]]

[[watch]]
rule = "nlp"
source = "together"
name = "{suffix}"
labels = { watched = "yes" }
labels_from = ["team"]
limit = 5
backfill = "7d"
[watch.match]
model = "llama-*"
suffix = ["a", "b"]
metadata = { team = "nlp" }
created_after = 2026-11-01
max_age = "30d"
states = ["running", "compressing"]
"""


def test_a_rule_says_which_jobs_it_means_and_what_they_get(configure: Configure) -> None:
    first, second = discovery_rules(configure(WHOLE))
    assert first == Rule("openai", "openai")
    assert second == Rule(
        "nlp",
        "together",
        Matcher(
            ("llama-*",),
            ("a", "b"),
            {"team": "nlp"},
            datetime(2026, 11, 1, tzinfo=UTC),
            timedelta(days=30),
            frozenset({"running", "compressing"}),
        ),
        {"watched": "yes"},
        ("team",),
        "{suffix}",
        5,
        timedelta(days=7),
    )


@pytest.mark.parametrize(
    "moment", ["2026-11-01T01:00:00+01:00", "'2026-11-01'", "2026-11-01T00:00:00", "'2026-11-01T00:00:00Z'"]
)
def test_a_moment_may_be_written_in_several_ways(moment: str, configure: Configure) -> None:
    (rule,) = discovery_rules(configure(f"[[watch]]\nmatch = {{ created_after = {moment} }}"))
    assert rule.matcher.created_after == datetime(2026, 11, 1, tzinfo=UTC)


def test_where_nothing_says_what_to_watch_all_is(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    assert discovery_rules(configure("")) == [watch_all("openai")]
    both = '[sources.t]\nkind = "together"\napi_key = "k"\n[sources.local]\nbase_url = "http://localhost/v1"'
    assert discovery_rules(configure(both)) == [watch_all("openai"), watch_all("t")]


@pytest.mark.parametrize(
    ("variables", "watched"),
    [
        ({"TOGETHER_API_KEY": "k"}, ["together"]),
        ({"TOGETHER_API_KEY": "k", "OPENAI_API_KEY": "sk-1"}, ["openai"]),
        ({"TOGETHER_API_KEY": " "}, []),
        ({"FIREWORKS_API_KEY": "k"}, []),  # whose account is not said
        (
            {"AWS_BEARER_TOKEN_BEDROCK": "k", "AWS_REGION": "us-east-1", "REPLICATE_API_TOKEN": "k"},
            ["bedrock", "replicate"],
        ),
    ],
)
def test_a_key_of_another_service_says_which_one_is_meant(
    variables: dict[str, str], watched: list[str], configure: Configure, set_env: Callable[..., None]
) -> None:
    set_env(**variables)
    assert discovery_rules(configure("")) == [watch_all(kind) for kind in watched]
    assert discovery_rules(configure("watch = []")) == []


@pytest.mark.parametrize("said", ["watch = []", "[[jobs]]\nid = 'a'"])
def test_where_something_says_it_nothing_else_is(
    said: str, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    assert discovery_rules(configure(said)) == []


def test_without_a_key_nothing_is(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert discovery_rules(configure("")) == []


def test_a_rule_uses_its_source_and_a_source_named_by_its_kind_needs_no_settings(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOGETHER_API_KEY", "key")
    assert list(sources_used(configure("[[watch]]\nsource = 'together'"))) == ["together"]


def test_rules_are_shown_as_they_are_written(configure: Configure) -> None:
    shown = masked(configure(WHOLE))["watch"][1]
    assert shown["match"]["created_after"] == "2026-11-01T00:00:00+00:00"
    assert (shown["backfill"], shown["match"]["model"]) == ("7d", ["llama-*"])
