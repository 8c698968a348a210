"""Any configuration is read, or every mistake is reported, and no secret."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watcher.domain.durations import write_duration
from watcher.errors import ConfigurationError
from watcher.settings.display import masked, to_toml
from watcher.settings.model import Settings
from watcher.settings.validation import load

SECRET = "Zr8mQ2xW5tKq"
each_example = settings(
    deadline=None,
    # The fixtures only clear the environment and make a directory: one for all examples will do.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
plain = st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), min_size=1, max_size=12)
values = st.one_of(
    texts,
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.booleans(),
    st.datetimes(),
    st.dates(),
    st.times(),
    st.sampled_from(["30s", "stdout", "webhook", "slack", "openai", "https://h/v1", "ftjob-1", "failed", "json", ".."]),
)
names = st.one_of(
    st.sampled_from(
        ["sources", "polling", "store", "jobs", "notifiers", "log", "openai", "a", "kind", "base_url", "timeout"]
    ),
    st.sampled_from(["interval", "url", "retention", "id", "source", "name", "labels", "statuses", "level", "format"]),
    st.sampled_from(["api_key_file", "headers", "first_seen", "auth", "[key]", "config", "model_config", "self", ""]),
    texts,
)
anything = st.recursive(
    values,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=4)),
    max_leaves=12,
)
documents = st.dictionaries(names, anything, max_size=5)

secret_values = st.sampled_from([SECRET, f"https://h/{SECRET}", f"{SECRET} x", f"whsec_{SECRET}", f"Bearer {SECRET}é"])
in_place_of_secrets = st.one_of(
    secret_values, st.lists(secret_values, max_size=2), st.dictionaries(names, secret_values, max_size=2)
)


def section(*plain: str, secret: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """A section of which any key may be wrong, and whose secrets stand where secrets may be meant to stand."""
    optional = dict.fromkeys(plain, values) | dict.fromkeys(secret, in_place_of_secrets)
    return st.fixed_dictionaries({}, optional=optional)


sources = section("base_url", "timeout", secret=("api_key", "api_key_file", "api_kye", "token", "key"))
hooks = section("statuses", "first_seen", secret=("url", "url_file", "secret", "secret_file", "headers", "webhook_url"))
notifiers = st.builds(
    lambda kind, rest: {"kind": kind, **rest}, st.sampled_from(["webhook", "slack", "stdout", "webhok"]), hooks
)
leaky = st.fixed_dictionaries(
    {},
    optional={
        "sources": st.one_of(secret_values, st.dictionaries(st.sampled_from(["openai", "b"]), sources | secret_values)),
        "store": secret_values | section("retention", secret=("url", "url_file", "password")),
        "notifiers": secret_values | st.dictionaries(st.sampled_from(["a", "b"]), notifiers | secret_values),
        "jobs": secret_values | st.lists(secret_values, max_size=2),
        "polling": secret_values | section("interval", secret=("password",)),
        "log": secret_values,
        "api_key": secret_values,
    },
)


def read(document: dict[str, Any], path: Path) -> Settings | str:
    path.write_text(tomli_w.dumps(document), encoding="utf-8")
    try:
        return load(path)
    except ConfigurationError as error:
        return "\n".join([*error.mistakes, repr(error)])


@each_example
@given(documents)
def test_anything_is_read_or_its_mistakes_are_told(config: Path, document: dict[str, Any]) -> None:
    outcome = read(document, config)
    if isinstance(outcome, Settings):
        assert to_toml(masked(outcome))
    else:
        assert str(config) in outcome


labels = st.dictionaries(st.sampled_from(["team", "stage", "a b"]), plain, max_size=2)
some_durations = st.timedeltas(timedelta(microseconds=1), timedelta(days=3650)).map(write_duration)
statuses = st.lists(st.sampled_from(["failed", "succeeded", "paused"]), min_size=1, max_size=3)
right = st.fixed_dictionaries(
    {},
    optional={
        "sources": st.dictionaries(
            st.sampled_from(["openai", "europe"]),
            st.fixed_dictionaries(
                {"base_url": st.sampled_from(["https://h/v1", "http://[::1]:8000"])},
                optional={
                    "timeout": st.sampled_from(["0.5s", "15s", "1m", 7]),
                    "strategy": st.sampled_from(["auto", "list"]),
                    "interval": st.sampled_from(["5s", 60]),
                    "token_command": st.sampled_from([["login", "print token"], "login 'print token'"]),
                },
            ),
        ),
        "polling": st.fixed_dictionaries({"interval": some_durations}),
        "store": st.fixed_dictionaries({"url": st.just("sqlite:////srv/w.db"), "retention": some_durations}),
        "jobs": st.lists(
            st.fixed_dictionaries(
                {"id": st.sampled_from(["ftjob-1", "a:b.c_d", "x"])}, optional={"name": plain, "labels": labels}
            ),
            unique_by=lambda job: str(job["id"]),
        ),
        "notifiers": st.dictionaries(
            st.sampled_from(["a", "b_-1"]),
            st.fixed_dictionaries(
                {"kind": st.just("stdout")},
                optional={"format": st.sampled_from(["text", "json"]), "statuses": statuses, "labels": labels},
            ),
        ),
        "log": st.fixed_dictionaries({"level": st.sampled_from(["debug", "error"])}),
    },
)


@each_example
@given(right)
def test_what_is_shown_reads_as_the_same_settings(config: Path, document: dict[str, Any]) -> None:
    """But for secrets; defaults are then given explicitly, like the address of the store."""
    before = read(document, config)
    assert isinstance(before, Settings)
    config.write_text(to_toml(masked(before)), encoding="utf-8")
    after = load(config)
    assert masked(after) == masked(before)
    assert (after.sources, after.polling, after.jobs) == (before.sources, before.polling, before.jobs)
    assert (after.notifiers, after.log) == (before.notifiers, before.log)
    assert after.store.retention == before.store.retention


@each_example
@given(leaky)
def test_no_secret_is_told_wherever_it_stands(config: Path, document: dict[str, Any]) -> None:
    outcome = read(document, config)
    told = outcome if isinstance(outcome, str) else f"{outcome!r} {to_toml(masked(outcome))}"
    assert SECRET not in told


@each_example
@given(
    st.dictionaries(
        st.lists(names, min_size=1, max_size=4).map(lambda parts: "__".join(parts).upper()),
        texts | anything.map(lambda value: json.dumps(value, default=str)),
        max_size=4,
    )
)
def test_any_environment_is_read_or_its_mistakes_are_told(variables: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            if "\0" not in name + value and "=" not in name:
                patch.setenv(f"WATCHER_{name}", value)
        try:
            outcome: Settings | str = load(None)
        except ConfigurationError as error:
            outcome = str(error)
    if isinstance(outcome, str):
        assert outcome.startswith("environment: WATCHER_")
