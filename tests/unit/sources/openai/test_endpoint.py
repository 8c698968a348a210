"""Where OpenAI's API is asked, and as whom: as the environment alone says it, and as settings do."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from watcher.errors import ConfigurationError
from watcher.sources.credentials import FileCredential
from watcher.sources.endpoint import Endpoint
from watcher.sources.openai.config import Config
from watcher.sources.openai.endpoint import VARIABLES, Access, access_from_environment

EVERYTHING = {
    "OPENAI_BASE_URL": "https://llm.example/v1",
    "OPENAI_API_KEY": "sk-1",
    "OPENAI_ORG_ID": "org-1",
    "OPENAI_PROJECT_ID": "proj_1",
    "OPENAI_MTLS_CLIENT_CERT_FILE": "/c.pem",
    "OPENAI_MTLS_CLIENT_KEY_FILE": "/k.pem",
}


def access(environment: dict[str, str], base_url: str | None = None, key_file: Path | None = None) -> Access:
    return access_from_environment(environment, base_url=base_url, key_file=key_file)


def endpoint(environment: dict[str, str]) -> Endpoint:
    return access(environment).endpoint("openai")


async def key_of(chosen: Access) -> str | None:
    return await chosen.credential.current() if chosen.credential else None


async def test_every_variable_of_the_official_tools_is_taken() -> None:
    assert set(EVERYTHING) == set(VARIABLES)
    found = endpoint(EVERYTHING | {"OPENAI_LOG": "debug"})
    assert found.url == "https://llm.example/v1"
    assert await found.credential.current() == "sk-1"
    assert found.headers == {"OpenAI-Organization": "org-1", "OpenAI-Project": "proj_1"}
    assert (found.client_cert_file, found.client_key_file) == ("/c.pem", "/k.pem")


async def test_a_key_is_all_that_is_needed() -> None:
    found = endpoint({"OPENAI_API_KEY": "sk-1"})
    assert (found.url, found.headers) == ("https://api.openai.com/v1", {})


async def test_a_base_url_prevails_over_the_variable_if_it_is_given() -> None:
    assert access(EVERYTHING, base_url="http://localhost:8000").base_url == "http://localhost:8000"
    assert access(EVERYTHING, base_url=None).base_url == "https://llm.example/v1"


async def test_white_space_is_dropped_and_empty_variables_say_nothing() -> None:
    found = access({"OPENAI_API_KEY": " sk-1\n", "OPENAI_BASE_URL": "", "OPENAI_ORG_ID": ""})
    assert (await key_of(found), found.base_url, found.organization) == ("sk-1", "https://api.openai.com/v1", None)


async def test_a_key_from_a_file_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("sk-2")
    found = access({"OPENAI_API_KEY": "sk-1"}, key_file=path)
    assert isinstance(found.credential, FileCredential)
    assert await key_of(found) == "sk-2"


@pytest.mark.parametrize(
    "base_url", ["https://api.openai.com/v1", "https://API.openai.com", "https://eu.api.openai.com/v1"]
)
def test_openai_wants_a_key(base_url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Access(base_url).endpoint("mine")
    assert str(caught.value) == ("source mine: no API key: set OPENAI_API_KEY, or api_key_file under [sources.mine]")


@pytest.mark.parametrize(
    "base_url",
    [
        "http://localhost/api.openai.com",
        "https://api.openai.com.example/v1",
        "https://my-api.openai.com",
        "https://eu.api.openai.example",
    ],
)
async def test_only_openai_itself_does(base_url: str) -> None:
    assert await Access(base_url).endpoint("openai").credential.current() is None


@pytest.mark.parametrize("key", ["sk 1", "sk-schlüssel", "sk-\x7f"])
@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"])
def test_what_cannot_stand_in_a_header_is_refused_and_not_repeated(variable: str, key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        endpoint({"OPENAI_API_KEY": "sk-1", variable: key})
    assert caught.value.mistakes == (
        "source openai: the API key, organization and project must be printable ASCII without spaces",
    )


def test_every_mistake_is_told() -> None:
    with pytest.raises(ConfigurationError) as caught:
        endpoint({"OPENAI_BASE_URL": "http://[sesame", "OPENAI_API_KEY": "a b"})
    assert [mistake.split(": ")[1].split()[0] for mistake in caught.value.mistakes] == ["base_url", "the"]


async def test_settings_say_the_same_and_more() -> None:
    config = Config.model_validate(
        {
            "base_url": "https://proxy.example/v1/",
            "api_key": "sk-1",
            "organization": "org-1",
            "query": {"custom_llm_provider": "azure"},
        }
    )
    found = config.access().endpoint("openai")
    assert (found.url, found.query) == ("https://proxy.example/v1", {"custom_llm_provider": "azure"})
    assert found.headers == {"OpenAI-Organization": "org-1"}
    assert await found.credential.current() == "sk-1"


def test_the_key_is_in_no_picture_of_the_settings() -> None:
    config = Config.model_validate({"api_key": "sesame-open"})
    assert "sesame" not in f"{config!r}{config.access()!r}"


def test_a_key_and_a_command_are_one_too_many() -> None:
    with pytest.raises(ValidationError, match="give either api_key or token_command, not both"):
        Config.model_validate({"api_key": "sk-1", "token_command": "printf sk-2"})
