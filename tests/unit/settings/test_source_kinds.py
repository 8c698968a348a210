"""Sources of several kinds: which settings and which variables of the environment each of them takes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from pydantic import SecretStr

from tests.unit.settings.conftest import Complain, Configure
from watcher.errors import ConfigurationError
from watcher.plugins.registry import sources
from watcher.settings.conversion import polling_policy, sources_used, usual_source
from watcher.settings.display import masked, secrets_of, to_toml
from watcher.settings.validation import load, load_for_store

AZURE = {"AZURE_OPENAI_ENDPOINT": "https://env.openai.azure.com", "AZURE_OPENAI_API_KEY": "k-env-1234"}


def shown(settings: Any, source: str) -> dict[str, Any]:
    """Return the settings of a source, secrets as they are."""
    found: dict[str, Any] = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in settings.sources[source]
    }
    return found


def test_a_source_is_validated_by_the_settings_of_its_kind(complain: Complain) -> None:
    assert complain('[sources.europe]\nkind = "azure"\nendpoint = "nowhere"\nbase_url = "https://h"') == [
        (
            "sources.europe.endpoint: got 'nowhere', expected an https:// URL such as "
            "https://example.openai.azure.com, "
            "without user, query or fragment"
        ),
        (
            "sources.europe.base_url: unknown key; expected one of: api_key, api_key_file, api_version, "
            "client_cert_file, "
            "client_key_file, endpoint, interval, kind, lists, max_interval, max_requests_per_minute, private_fields, "
            "progress, strategy, timeout, token, token_command, token_file"
        ),
    ]


def test_a_kind_that_is_not_installed_is_answered_with_the_known_ones(complain: Complain) -> None:
    """And the settings that every source has are judged all the same."""
    assert complain('[sources.a]\nkind = "togther"\ntimeout = "2m"\ncolour = "red"') == [
        (
            f"sources.a.kind: no source of kind 'togther' is installed: there are {', '.join(sources.kinds())}. "
            "Did you mean 'together'?"
        ),
        "sources.a.timeout: got '2m', expected a duration of at most 1m",
    ]


@pytest.mark.parametrize("settings", ["api_key = 'k'", "timeout = '5s'"])
def test_a_source_that_is_called_like_a_kind_has_to_say_which_one_it_is(settings: str, complain: Complain) -> None:
    """Its key would go to the wrong service otherwise."""
    assert complain(f"[sources.together]\n{settings}") == [
        (
            'sources.together.kind: missing; \'together\' is also a kind: expected "together", or "openai" for a '
            "service that speaks OpenAI's API"
        )
    ]


@pytest.mark.parametrize("kind", ["together", "openai"])
def test_either_may_be_meant(kind: str, configure: Configure) -> None:
    settings = configure(f'[sources.together]\nkind = "{kind}"\nbase_url = "https://h/v1"')
    assert settings.sources["together"].kind == kind


def test_what_every_source_has_stands_beside_the_settings_of_a_kind(configure: Configure) -> None:
    settings = configure('[sources.a]\nkind = "together"\napi_key = "k"\ninterval = "5s"\nmax_interval = "1m"')
    policy = polling_policy(settings, "a")
    assert (policy.interval, policy.max_interval) == (timedelta(seconds=5), timedelta(minutes=1))


@pytest.mark.parametrize(
    ("toml", "interval", "longest"),
    [
        ("", "30s", "5m"),
        ("[polling]\ninterval = '10m'", "10m", "10m"),
        ("[sources.openai]\ninterval = '10m'", "10m", "10m"),
        ("[sources.openai]\ninterval = '5s'\n[polling]\ninterval = '1m'\nmax_interval = '2m'", "5s", "2m"),
        ("[sources.openai]\ninterval = '3m'\n[polling]\nmax_interval = '2m'", "3m", "3m"),
        ("[sources.openai]\nmax_interval = '10s'\n[polling]\ninterval = '1m'", "1m", "1m"),
    ],
)
def test_each_source_has_its_own_interval(toml: str, interval: str, longest: str, configure: Configure) -> None:
    units = {"s": 1, "m": 60}
    policy = polling_policy(configure(toml), "openai")
    assert policy.interval == timedelta(seconds=int(interval[:-1]) * units[interval[-1]])
    assert policy.max_interval == timedelta(seconds=int(longest[:-1]) * units[longest[-1]])


def test_the_longest_wait_is_no_shorter_than_the_interval(complain: Complain) -> None:
    [told] = complain("[sources.openai]\ninterval = '2m'\nmax_interval = '1m'")
    assert told == "sources.openai.max_interval: shorter than the interval"


def test_the_variables_of_a_kind_go_to_the_source_of_its_name(configure: Configure, set_env: Any) -> None:
    set_env(**AZURE, OPENAI_API_VERSION="2024-10-21", AZURE_OPENAI_AD_TOKEN="t-env", TOGETHER_API_KEY="k-together")
    settings = configure(
        '[sources.azure]\nkind = "azure"\nendpoint = "https://file.openai.azure.com"\n'
        '[sources.other]\nkind = "azure"\nendpoint = "https://other.openai.azure.com"\n'
        '[sources.together]\nkind = "openai"\nbase_url = "https://h/v1"'
    )
    azure = shown(settings, "azure")
    assert (azure["endpoint"], azure["api_key"]) == ("https://env.openai.azure.com", "k-env-1234")
    assert (azure["api_version"], azure["token"]) == ("2024-10-21", "t-env")
    assert shown(settings, "other")["api_key"] is None
    assert shown(settings, "together")["api_key"] is None


def test_the_variables_alone_make_a_source_that_a_job_speaks_of(configure: Configure, set_env: Any) -> None:
    set_env(**AZURE, OPENAI_API_KEY="sk-1")
    settings = configure('[[jobs]]\nid = "ftjob-1"\nsource = "azure"')
    assert settings.sources["azure"].kind == "azure"
    assert shown(settings, "azure")["endpoint"] == "https://env.openai.azure.com"
    assert "azure" not in configure("").sources


def test_what_they_lack_is_missed_where_it_belongs(complain: Complain, set_env: Any) -> None:
    set_env(AZURE_OPENAI_API_KEY="k")
    [told] = complain('[[jobs]]\nid = "ftjob-1"\nsource = "azure"')
    assert told.endswith("sources.azure.endpoint: missing")


def test_a_mistake_in_a_variable_names_the_variable(set_env: Any) -> None:
    set_env(AZURE_OPENAI_ENDPOINT="nowhere", AZURE_OPENAI_API_KEY="k")
    with pytest.raises(ConfigurationError) as caught:
        load(None, {"sources": {"azure": {}}})
    [told] = caught.value.mistakes
    assert told.startswith("environment: AZURE_OPENAI_ENDPOINT: got 'nowhere', expected an https:// URL")


@pytest.mark.parametrize(
    ("file", "variables", "in_force"),
    [
        ("token_command = 'printf t'", {"TOGETHER_API_KEY": "k"}, {"api_key": "k", "token_command": None}),
        ("token_command = 'printf t'", {}, {"api_key": None, "token_command": ("printf", "t")}),
        (
            "api_key = 'k'",
            {"WATCHER_SOURCES__TOGETHER__TOKEN_COMMAND": "printf 'a b'"},
            {"api_key": None, "token_command": ("printf", "a b")},
        ),
        (
            "api_key = 'k'",
            {"WATCHER_SOURCES__TOGETHER__TOKEN_COMMAND": '["printf", "t"]'},
            {"api_key": None, "token_command": ("printf", "t")},
        ),
    ],
)
def test_of_key_and_command_the_higher_layer_prevails(
    file: str, variables: dict[str, str], in_force: dict[str, Any], configure: Configure, set_env: Any
) -> None:
    set_env(**variables)
    settings = configure(f'[sources.together]\nkind = "together"\n{file}')
    assert shown(settings, "together").items() >= in_force.items()


@pytest.mark.parametrize("command", ["''", "[]", "'printf \"'"])
def test_a_command_has_to_be_one(command: str, complain: Complain) -> None:
    [told] = complain(f'[sources.together]\nkind = "together"\ntoken_command = {command}')
    assert told.startswith("sources.together.token_command: got ")


def test_what_is_in_force_is_shown_and_hidden_as_everything_else(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k-of-the-file\n")
    settings = configure(
        f'[sources.a]\nkind = "azure"\nendpoint = "https://h"\napi_key_file = "{tmp_path / "key"}"\ntoken = "t-1234567"'
    )
    table = masked(settings)["sources"]["a"]
    assert (table["kind"], table["api_key"], table["token"]) == ("azure", "***", "***")
    assert secrets_of(settings) >= {"k-of-the-file", "t-1234567"}
    assert "k-of-the-file" not in to_toml(masked(settings))


def test_a_command_on_the_store_needs_no_secret_and_no_setting_of_a_kind(config: Path) -> None:
    config.write_text('[sources.a]\nkind = "azure"\napi_key_file = "/nowhere"\ninterval = "5s"')
    settings = load_for_store(config)
    assert (settings.sources["a"].kind, settings.sources["a"].interval) == ("azure", timedelta(seconds=5))
    assert usual_source(settings) == "a"


def test_a_command_on_the_store_says_where_a_mistake_is(config: Path) -> None:
    config.write_text(
        '[sources.a]\nkind = "azure"\ninterval = "x"\n[notifiers.chat]\nevents = ["all"]\n[log]\nlevel = 5'
    )
    with pytest.raises(ConfigurationError) as refused:
        load_for_store(config)
    interval, events, level = refused.value.mistakes
    assert "sources.a.interval: got 'x', " in interval
    assert "notifiers.chat.events[0]: got 'all', expected 'jobs', 'metrics' or 'watcher'" in events
    assert "log.level: " in level


@pytest.mark.parametrize(
    ("toml", "names"),
    [
        ("", ["openai"]),
        ('[sources.a]\nbase_url = "http://h"', ["a"]),
        ('[sources.a]\nbase_url = "http://h"\n[sources.openai]\napi_key = "k"', ["a", "openai"]),
        ('[sources.a]\nbase_url = "http://h"\n[sources.openai]\ntoken_command = "t"', ["a", "openai"]),
        ('[sources.a]\nbase_url = "http://h"\n[[jobs]]\nid = "x"\nsource = "openai"', ["a", "openai"]),
    ],
)
def test_the_default_source_is_used_if_it_can_be_meant(toml: str, names: list[str], configure: Configure) -> None:
    assert sorted(sources_used(configure(toml))) == names


def test_an_id_is_shortened_by_the_kind_of_its_source(configure: Configure, install_source: Any) -> None:
    install_source("short-forge", "forge", SHORTENING)
    settings = configure('[sources.f]\nkind = "forge"\n[[jobs]]\nid = "forges/main/runs/7"\nsource = "f"')
    assert [job.key.id for job in settings.jobs] == ["7"]


def test_an_id_that_the_kind_refuses_is_a_mistake(complain: Complain, install_source: Any) -> None:
    install_source("short-forge", "forge", SHORTENING)
    assert complain('[sources.f]\nkind = "forge"\n[[jobs]]\nid = "x"\nsource = "f"') == [
        "jobs[0].id: expected a run such as forges/main/runs/7"
    ]


def test_ids_that_become_the_same_when_they_are_shortened_are_a_mistake(
    complain: Complain, install_source: Any
) -> None:
    install_source("short-forge", "forge", SHORTENING)
    named = "".join(f'[[jobs]]\nid = "forges/{where}/runs/7"\nsource = "f"\n' for where in ("main", "other"))
    assert complain('[sources.f]\nkind = "forge"\n' + named) == [
        "jobs[1].id: f/7 is listed twice: here as forges/other/runs/7, before as forges/main/runs/7"
    ]


def look_ups(work: Callable[[], object]) -> int:
    """Count how often the work looks through what is installed."""
    count = 0

    def note(frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code is entry_points.__code__

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_what_is_installed_is_looked_up_once(configure: Configure) -> None:
    """It takes milliseconds: with a thousand jobs a configuration would take half a minute to read."""
    jobs = "".join(f'[[jobs]]\nid = "j-{number}"\nsource = "a"\n' for number in range(20))
    groups = 2  # of entry points: sources, notifiers
    assert look_ups(lambda: configure(f"[sources.a]\n{jobs}")) <= groups


SHORTENING = """
from watcher.plugins import Section, SourcePlugin, StateMap

def short(text):
    if "/runs/" not in text:
        raise ValueError("a run such as forges/main/runs/7")
    return text.rpartition("/")[2]

class Config(Section):
    colour: str = ""

plugin = SourcePlugin(Config, print, StateMap({}), read_id=short)
"""
