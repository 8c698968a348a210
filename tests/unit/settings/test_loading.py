"""Which layer of settings prevails, what the environment may say, and files that cannot be read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.settings.conftest import Configure, openai
from watcher.domain.jobs import JobKey, JobSpec
from watcher.errors import ConfigurationError
from watcher.settings.model import Settings
from watcher.settings.validation import load

FILE = '[sources.openai]\nbase_url = "http://file"\napi_key = "of-file"\n[polling]\ninterval = "1s"'


def mistakes(path: Path | None, overrides: Mapping[str, Any] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(path, overrides)
    return list(caught.value.mistakes)


def key_of(settings: Settings, source: str = "openai") -> str | None:
    key = openai(settings, source).api_key
    return key.get_secret_value() if key else None


LAYERS = ["flag", "watcher", "openai", "file"]


@pytest.mark.parametrize("present", [LAYERS[first:] for first in range(4)], ids="+".join)
@pytest.mark.parametrize("key", ["base_url", "api_key", "organization", "project", "client_cert_file"])
def test_the_first_layer_that_says_something_prevails(
    present: list[str], key: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flags, `WATCHER_…`, `OPENAI_…`, file."""
    variables = {
        "base_url": "BASE_URL",
        "api_key": "API_KEY",
        "organization": "ORG_ID",
        "project": "PROJECT_ID",
        "client_cert_file": "MTLS_CLIENT_CERT_FILE",
    }
    values = {layer: f"http://{layer}" for layer in LAYERS}
    config.write_text(f'[sources.openai]\n{key} = "{values["file"]}"')
    if "openai" in present:
        monkeypatch.setenv(f"OPENAI_{variables[key]}", values["openai"])
    if "watcher" in present:
        monkeypatch.setenv(f"WATCHER_SOURCES__OPENAI__{key.upper()}", values["watcher"])
    settings = load(config, {"sources": {"openai": {key: values["flag"]}}} if "flag" in present else None)
    effective = settings.sources["openai"].model_dump()[key]
    assert (effective.get_secret_value() if key == "api_key" else str(effective)) == (
        str(Path(values[present[0]])) if key == "client_cert_file" else values[present[0]]
    )


def test_what_only_lower_layers_say_still_counts(config: Path, set_env: Any) -> None:
    config.write_text(FILE)
    set_env(OPENAI_API_KEY="of-openai", WATCHER_SOURCES__OPENAI__TIMEOUT="2s", WATCHER_LOG__LEVEL="debug")
    settings = load(config, {"log": {"format": "json"}})
    assert (openai(settings).base_url, key_of(settings)) == ("http://file", "of-openai")
    assert (settings.sources["openai"].timeout, settings.polling.interval) == (timedelta(seconds=2), timedelta(0, 1))
    assert (settings.log.level, settings.log.format) == ("debug", "json")


def test_the_variables_of_openai_are_for_the_source_openai_only(config: Path, set_env: Any) -> None:
    config.write_text('[sources.other]\nbase_url = "http://other"')
    set_env(OPENAI_API_KEY="k", OPENAI_BASE_URL="http://variable")
    settings = load(config)
    assert (key_of(settings), key_of(settings, "other")) == ("k", None)
    assert openai(settings, "other").base_url == "http://other"


@pytest.mark.parametrize("value", ["", " \n"])
def test_an_empty_variable_says_nothing(value: str, config: Path, set_env: Any) -> None:
    config.write_text(FILE)
    set_env(OPENAI_API_KEY=value, OPENAI_BASE_URL=value, WATCHER_POLLING__INTERVAL="")
    settings = load(config)
    assert (key_of(settings), openai(settings).base_url) == ("of-file", "http://file")
    assert settings.polling.interval == timedelta(seconds=1)


def test_white_space_around_the_variables_of_openai_is_dropped(set_env: Any) -> None:
    set_env(OPENAI_API_KEY="sk-1\n")
    assert key_of(load(None)) == "sk-1"


WAYS = ["api_key", "api_key_file"]


@pytest.mark.parametrize("lower", WAYS)
@pytest.mark.parametrize("higher", WAYS)
@pytest.mark.parametrize("layers", [("flag", "watcher"), ("flag", "file"), ("watcher", "file"), ("watcher", "openai")])
def test_a_secret_and_its_file_overrule_each_other_across_layers(
    layers: tuple[str, str], higher: str, lower: str, config: Path, set_env: Any
) -> None:
    """The file that was overruled is not even read."""
    file = config.with_name("key")
    file.write_text("of-higher")
    given = {
        layers[0]: (higher, str(file) if higher.endswith("_file") else "of-higher"),
        layers[1]: (lower, "/nowhere" if lower.endswith("_file") else "of-lower"),
    }
    config.write_text("[sources.openai]\n{} = '{}'".format(*given.get("file", ("timeout", "5s"))))
    if "watcher" in given:
        name, value = given["watcher"]
        set_env(**{f"WATCHER_SOURCES__OPENAI__{name.upper()}": value})
    if "openai" in given:
        set_env(OPENAI_API_KEY="of-lower")
    assert key_of(load(config, {"sources": {"openai": dict([given.get("flag", ("timeout", "5s"))])}})) == "of-higher"


def test_the_ways_overrule_each_other_for_notifiers_and_the_store_too(
    config: Path, tmp_path: Path, set_env: Any
) -> None:
    (tmp_path / "slack").write_text("https://hooks.example/b")
    config.write_text(
        '[store]\nurl_file = "/nowhere"\n[notifiers.chat]\nkind = "slack"\nwebhook_url = "https://hooks.example/a"'
    )
    set_env(WATCHER_STORE__URL="sqlite:////srv/w.db", WATCHER_NOTIFIERS__CHAT__WEBHOOK_URL_FILE=str(tmp_path / "slack"))
    settings = load(config)
    chat: Any = settings.notifiers["chat"]
    assert settings.store.resolved_url() == "sqlite:////srv/w.db"
    assert chat.webhook_url.get_secret_value() == "https://hooks.example/b"


def test_only_secrets_overrule_each_other(config: Path, set_env: Any) -> None:
    """A notifier and a label may well be called something_file."""
    config.write_text(
        '[notifiers.chat]\nkind = "stdout"\nlabels = { team_file = "x" }\n[notifiers.chat_file]\nkind = "stdout"'
    )
    set_env(WATCHER_NOTIFIERS__CHAT__LABELS__TEAM="nlp")
    settings = load(config)
    assert list(settings.notifiers) == ["chat", "chat_file"]
    assert settings.notifiers["chat"].labels == {"team_file": "x", "team": "nlp"}


@pytest.mark.parametrize("layer", ["file", "environment"])
def test_both_ways_in_one_layer_are_a_mistake(layer: str, config: Path, set_env: Any) -> None:
    if layer == "file":
        config.write_text("[sources.openai]\napi_key = 'a'\napi_key_file = '/b'")
        place = f"{config}: sources.openai.api_key_file"
    else:
        config.touch()
        set_env(WATCHER_SOURCES__OPENAI__API_KEY="a", WATCHER_SOURCES__OPENAI__API_KEY_FILE="/b")
        place = "environment: WATCHER_SOURCES__OPENAI__API_KEY_FILE"
    assert mistakes(config) == [f"{place}: give either api_key or api_key_file, not both"]


def test_everything_can_come_from_the_environment(set_env: Any) -> None:
    """Tables and lists as JSON or key by key; digits in a text stay text."""
    set_env(
        WATCHER_SOURCES__EUROPE__API_KEY="12345",
        WATCHER_SOURCES__EUROPE='{"base_url": "http://europe", "organization": "77"}',
        WATCHER_JOBS='[{"id": "ftjob-1", "labels": {"team": "nlp"}}, {"id": "ftjob-2", "source": "europe"}]',
        WATCHER_NOTIFIERS__CHAT__KIND="webhook",
        WATCHER_NOTIFIERS__CHAT__URL="http://h/[x]",
        WATCHER_NOTIFIERS__CHAT__HEADERS='{"X-Team": "nlp"}',
        WATCHER_NOTIFIERS__CHAT__STATUSES='["failed", "succeeded"]',
        WATCHER_NOTIFIERS__CHAT__LABELS__TEAM="7",
        watcher_polling__interval="0.5",
    )
    settings = load(None)
    assert (openai(settings, "europe").organization, key_of(settings, "europe")) == ("77", "12345")
    assert settings.jobs == (
        JobSpec(JobKey("openai", "ftjob-1"), labels={"team": "nlp"}),
        JobSpec(JobKey("europe", "ftjob-2")),
    )
    chat: Any = settings.notifiers["chat"]
    assert (chat.statuses, chat.labels) == (["failed", "succeeded"], {"team": "7"})
    assert chat.headers["X-Team"].get_secret_value() == "nlp"
    assert settings.polling.interval == timedelta(milliseconds=500)


@pytest.mark.parametrize(
    ("variables", "mistake"),
    [
        ({"WATCHER_POLLING__INTERVAL": "soon"}, "WATCHER_POLLING__INTERVAL: got 'soon', expected a duration such as"),
        ({"watcher_polling__interval": "soon"}, "watcher_polling__interval: got 'soon', expected a duration such as"),
        ({"WATCHER_POLLING__INTERVALL": "5s"}, "WATCHER_POLLING__INTERVALL: unknown key; did you mean 'interval'?"),
        ({"WATCHER_POLING__INTERVAL": "5s"}, "WATCHER_POLING__INTERVAL: unknown; did you mean WATCHER_POLLING__…?"),
        ({"WATCHER_ZZZ__X": "5s"}, "WATCHER_ZZZ__X: unknown; expected one of WATCHER_SOURCES__…, WATCHER_POLLING__…,"),
        ({"WATCHER_POLLING_INTERVAL": "5s"}, "WATCHER_POLLING_INTERVAL: unknown; the parts of a key are separated by"),
        ({"WATCHER_POLLING": "5s"}, "WATCHER_POLLING: got text, expected a table"),
        ({"WATCHER_JOBS": "ftjob-1"}, "WATCHER_JOBS: got text, expected a list"),
        ({"WATCHER_JOBS": '[{"id": "a"'}, "WATCHER_JOBS: got text, expected a list"),
        ({"WATCHER_JOBS": "[" * 50_000}, "WATCHER_JOBS: got text, expected a list"),
        ({"WATCHER_JOBS": '[{"id": "a b"}]'}, "WATCHER_JOBS: jobs[0].id: got 'a b', expected a job id"),
        ({"WATCHER_SOURCES__OPENAI": "sk-1"}, "WATCHER_SOURCES__OPENAI: got text, expected a table"),
        ({"WATCHER_SOURCES__OPENAI__API_KEY": "sk 1"}, "WATCHER_SOURCES__OPENAI__API_KEY: expected printable ASCII"),
        (
            {"WATCHER_NOTIFIERS__CHATT__URL": "http://h"},
            "WATCHER_NOTIFIERS__CHATT__URL: notifiers.chatt.kind: missing; expected one of",
        ),
        ({"OPENAI_BASE_URL": "ftp://h"}, "OPENAI_BASE_URL: got 'ftp://h', expected an http:// or https:// URL"),
        ({"OPENAI_API_KEY": "sk-schlüssel"}, "OPENAI_API_KEY: expected printable ASCII without spaces"),
        ({"OPENAI_MTLS_CLIENT_KEY_FILE": "/k"}, "OPENAI_MTLS_CLIENT_KEY_FILE: given without client_cert_file"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    variables: dict[str, str], mistake: str, config: Path, set_env: Any
) -> None:
    config.write_text(FILE)
    set_env(**variables)
    [told] = mistakes(config)
    assert told.startswith(f"environment: {mistake}")


@pytest.mark.parametrize("section", sorted(Settings.model_fields))
def test_variables_reach_into_every_section(section: str, set_env: Any) -> None:
    variable = f"WATCHER_{section.upper()}__ZZZ__ZZZ"
    set_env(**{variable: "5"})
    told = mistakes(None)
    assert told
    assert all(mistake.startswith(f"environment: {variable}: ") for mistake in told)
    assert not any(": unknown; " in mistake for mistake in told)


def test_a_mistake_in_json_is_not_blamed_on_a_variable_beside_it(set_env: Any) -> None:
    set_env(WATCHER_SOURCES__EUROPE__API_KEY="k", WATCHER_SOURCES__EUROPE='{"base_url": "europe"}')
    [told] = mistakes(None)
    assert told.startswith("environment: WATCHER_SOURCES__EUROPE: sources.europe.base_url: got 'europe', expected")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "WATCHER_CONFIG",
            "WATCHER_SERVICE_HOST",
            "WATCHER_SERVICE_PORT",
            "WATCHER_SERVICE_PORT_HTTP",
            "WATCHER_PORT",
        ),
        *("WATCHER_PORT_80_TCP", "WATCHER_PORT_80_TCP_ADDR", "WATCHER_STORE_SERVICE_HOST", "WATCHER_STORE_PORT"),
        *("WATCHER_STORE_PORT_5432_TCP_PROTO", "WATCHER_IMAGE_TAG", "WATCHERS__X", "OPENAI_LOG"),
    ],
)
def test_the_variables_of_others_are_let_be(name: str, set_env: Any) -> None:
    """Kubernetes makes such names for a service that is called watcher."""
    set_env(**{name: "tcp://10.0.0.1:80"})
    assert load(None).jobs == ()


def test_a_mistake_on_the_command_line_says_so() -> None:
    assert mistakes(None, {"log": {"level": "loud"}}) == [
        "command line: log.level: got 'loud', expected 'debug', 'info', 'warning' or 'error'"
    ]


def test_what_is_missing_is_missed_in_the_file_that_has_the_rest(config: Path, set_env: Any) -> None:
    config.write_text('[notifiers.a]\nkind = "webhook"')
    set_env(WATCHER_NOTIFIERS__A__FIRST_SEEN="always")
    assert mistakes(config) == [f"{config}: notifiers.a.url: missing; give it as url or url_file"]


def test_mistakes_of_all_layers_are_told_together(config: Path, set_env: Any) -> None:
    config.write_text("[polling]\nintervall = 5")
    set_env(OPENAI_BASE_URL="x", WATCHER_LOGG__LEVEL="x", WATCHER_JOBS="{")
    told = mistakes(config, {"log": {"format": "xml"}})
    assert sorted(mistake.split(": ")[1] for mistake in told) == [
        "OPENAI_BASE_URL",
        "WATCHER_JOBS",
        "WATCHER_LOGG__LEVEL",
        "log.format",
        "polling.intervall",
    ]


@pytest.mark.parametrize(
    ("content", "mistake"),
    [
        (b"[polling]\ninterval 5", ", line 2, column 10: not valid TOML: Expected '=' after a key"),
        (b"[a", ", line 1, column 3: not valid TOML: Expected ']' at the end of a table declaration"),
        (b'a = "x', ", line 1, column 7: not valid TOML: Unterminated string"),
        (b"[a]\n[a]", ", line 2, column 3: not valid TOML: Cannot declare"),
        (b"a = '\x1b'", ", line 1, column 6: not valid TOML: Found invalid character"),
        (b"ok = 1\na = \xff", ": not UTF-8 text, from byte 11 on"),
        (b"a = " + b"[" * 50_000, ": nested too deeply"),
        (b"a = " + b"9" * 5_000, ": not valid TOML: Exceeds the limit"),
    ],
)
def test_a_file_that_is_no_toml_is_told_with_the_place(content: bytes, mistake: str, config: Path) -> None:
    config.write_bytes(content)
    [told] = mistakes(config)
    assert told.startswith(f"{config}{mistake}")
    assert "\x1b" not in told


def test_settings_that_are_nested_too_deeply_are_told(config: Path, set_env: Any) -> None:
    """Dotted keys go as deep as they please; merging two of them does not."""
    parts = ["a"] * 5_000
    config.write_text(f"polling.{'.'.join(parts)} = 1")
    assert mistakes(config) == [f"{config}: polling.a: unknown key; expected one of: cadence, interval, max_interval"]
    set_env(**{f"WATCHER_POLLING__{'__'.join(parts)}": "1"})
    assert mistakes(config) == [f"{config}: nested too deeply"]


def test_a_byte_order_mark_and_the_line_ends_of_windows_do_not_matter(config: Path) -> None:
    config.write_bytes(b"\xef\xbb\xbf[polling]\r\ninterval = 5\r\n")
    assert load(config).polling.interval == timedelta(seconds=5)


def test_a_file_may_be_a_pipe() -> None:
    """As in `watcher config check --config <(…)`."""
    reader, writer = os.pipe()
    os.write(writer, b"[polling]\ninterval = 5")
    os.close(writer)
    try:
        assert load(Path(f"/dev/fd/{reader}")).polling.interval == timedelta(seconds=5)
    finally:
        os.close(reader)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert mistakes(tmp_path) == [f"{tmp_path}: cannot be read: Is a directory"]
    assert mistakes(tmp_path / "no") == [f"{tmp_path / 'no'}: cannot be read: No such file or directory"]


def test_keys_are_lower_case_in_the_file(configure: Configure) -> None:
    """As the schema has it, on every level alike."""
    with pytest.raises(ConfigurationError, match="Polling: unknown key; did you mean 'polling'"):
        configure("[Polling]\ninterval = 5")
