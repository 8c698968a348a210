"""The source `openai` as the environment alone describes it, and what a source must be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from watcher.errors import ConfigurationError
from watcher.sources.openai.config import (
    OPENAI_VARIABLES,
    SourceConfig,
    is_base_url,
    is_header_text,
    source_from_environment,
)

EVERYTHING = {
    "OPENAI_BASE_URL": "https://llm.example/v1",
    "OPENAI_API_KEY": "sk-1",
    "OPENAI_ORG_ID": "org-1",
    "OPENAI_PROJECT_ID": "proj_1",
    "OPENAI_MTLS_CLIENT_CERT_FILE": "/c.pem",
    "OPENAI_MTLS_CLIENT_KEY_FILE": "/k.pem",
}


def mistakes(**config: str | None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        SourceConfig(**config)  # type: ignore[arg-type]
    return list(caught.value.mistakes)


def test_every_variable_of_the_official_tools_is_taken() -> None:
    assert set(EVERYTHING) == set(OPENAI_VARIABLES)
    source = source_from_environment(EVERYTHING | {"OPENAI_LOG": "debug"})
    assert (source.name, source.base_url, source.api_key) == ("openai", "https://llm.example/v1", "sk-1")
    assert (source.organization, source.project) == ("org-1", "proj_1")
    assert (source.client_cert_file, source.client_key_file) == ("/c.pem", "/k.pem")


def test_a_key_is_all_that_is_needed() -> None:
    source = source_from_environment({"OPENAI_API_KEY": "sk-1"})
    assert source == SourceConfig(api_key="sk-1")
    assert (source.base_url, source.timeout) == ("https://api.openai.com/v1", timedelta(seconds=15))


def test_overrides_prevail_over_the_variables_if_they_are_given() -> None:
    source = source_from_environment(EVERYTHING, base_url="http://localhost:8000", api_key=None)
    assert (source.base_url, source.api_key, source.project) == ("http://localhost:8000", "sk-1", "proj_1")


def test_white_space_is_dropped_and_empty_variables_say_nothing() -> None:
    source = source_from_environment({"OPENAI_API_KEY": " sk-1\n", "OPENAI_BASE_URL": "", "OPENAI_ORG_ID": ""})
    assert source == SourceConfig(api_key="sk-1")


def test_every_request_says_who_asks() -> None:
    source = source_from_environment(EVERYTHING)
    assert source.headers() == {
        "Accept": "application/json",
        "Authorization": "Bearer sk-1",
        "OpenAI-Organization": "org-1",
        "OpenAI-Project": "proj_1",
    }


def test_azure_takes_the_key_in_a_header_of_its_own() -> None:
    source = SourceConfig(base_url="https://h/openai/v1", api_key="k", auth="api-key")
    assert source.headers() == {"Accept": "application/json", "api-key": "k"}


def test_a_service_that_wants_no_key_gets_none() -> None:
    assert SourceConfig(base_url="http://localhost:8000/v1").headers() == {"Accept": "application/json"}


@pytest.mark.parametrize(
    "base_url", ["https://api.openai.com/v1", "https://API.openai.com", "https://eu.api.openai.com/v1"]
)
def test_openai_wants_a_key(base_url: str) -> None:
    [mistake] = mistakes(base_url=base_url)
    assert mistake == ("source openai: no API key: set OPENAI_API_KEY, or api_key_file under [sources.openai]")


@pytest.mark.parametrize(
    "base_url",
    [
        "http://localhost/api.openai.com",
        "https://api.openai.com.example/v1",
        "https://my-api.openai.com",
        "https://eu.api.openai.example",
    ],
)
def test_only_openai_itself_does(base_url: str) -> None:
    assert SourceConfig(base_url=base_url).api_key is None


@pytest.mark.parametrize("key", ["sk 1", "sk-1\n", "sk-schlüssel", "sk-\x7f"])
@pytest.mark.parametrize("field", ["api_key", "organization", "project"])
def test_what_cannot_stand_in_a_header_is_refused_and_not_repeated(field: str, key: str) -> None:
    [mistake] = mistakes(**{"api_key": "sk-1", field: key})
    assert mistake == "source openai: the API key, organization and project must be printable ASCII without spaces"


def test_every_mistake_of_a_source_is_told() -> None:
    assert [mistake.split(": ")[1].split()[0] for mistake in mistakes(name="a", base_url="h", api_key="a b")] == [
        "base_url",
        "the",
    ]
    assert mistakes(name="a", base_url="http://[sesame") == [
        "source a: base_url must be an http:// or https:// URL such as https://api.openai.com/v1"
    ]


def test_the_key_is_in_no_picture_of_the_source() -> None:
    assert "sesame" not in repr(SourceConfig(api_key="sesame"))


@pytest.mark.parametrize(
    "url", ["http://h", "https://h:8443/v1", "http://127.0.0.1:1", "http://[::1]:8000/v1", "HTTPS://H"]
)
def test_where_requests_can_be_sent(url: str) -> None:
    assert is_base_url(url)


@pytest.mark.parametrize(
    "url",
    [
        *("", "h", "h/v1", "//h", "ftp://h", "http://", "http:///v1", "http://:80", "file:///etc"),
        *("http://h:0", "http://h:99999", "http://h:x", "http://[::1", "http://h?a=1", "http://h/#a"),
        *(
            "http://h/?",
            "http://h/#",
            "http://@h",
            "http://h\\\\x",
            "http://[::1]x",
            "http://h:٣",
            "http://h/" + "x" * 2000,
        ),
        *("http://ann@h", "http://ann:pw@h", "http://:pw@h"),
        *("http://h/a b", "http://h h/", "http://h/\n", " http://h", "http://h\t", "http://h/\x1b"),
    ],
)
def test_where_they_cannot(url: str) -> None:
    assert not is_base_url(url)


@pytest.mark.parametrize("text", ["sk-1", "", "a+/=:"])
def test_what_can_stand_in_a_header(text: str) -> None:
    assert is_header_text(text)


@pytest.mark.parametrize("text", ["a b", "ü", "\r\n", "\x7f", " "])
def test_what_cannot(text: str) -> None:
    assert not is_header_text(text)
