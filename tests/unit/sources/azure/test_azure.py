"""What is Azure's own: where it is asked, with what, and what its 404 means."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.doubles import ManualClock, RecordingLog
from watcher.errors import ConfigurationError, MissingError, RejectedError
from watcher.plugins.source import SourceContext
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import DialectName, JobScript, Script, Step
from watcher.sources.azure.config import Config
from watcher.sources.azure.dialect import AZURE_CAPABILITIES
from watcher.sources.azure.plugin import build
from watcher.sources.endpoint import Endpoint

HOST = "https://example.openai.azure.com"
PROJECT = "https://example.services.ai.azure.com/api/projects/example"


def endpoint(**settings: Any) -> Endpoint:
    return Config.model_validate({"endpoint": HOST, "api_key": "k", **settings}).connection("azure")


@pytest.mark.parametrize(
    ("given", "version", "url"),
    [
        (HOST, None, f"{HOST}/openai/v1"),
        (f"{HOST}/", None, f"{HOST}/openai/v1"),
        (HOST, "preview", f"{HOST}/openai/v1"),
        (HOST, "2024-10-21", f"{HOST}/openai"),
        (HOST, "2025-11-15-preview", f"{HOST}/openai"),
        (f"{HOST}/openai/v1", None, f"{HOST}/openai/v1"),
        (f"{HOST}/openai/v1/", "2024-10-21", f"{HOST}/openai/v1"),
        (f"{HOST}/openai", "2024-10-21", f"{HOST}/openai"),
        (PROJECT, None, f"{PROJECT}/openai/v1"),
    ],
)
def test_what_the_endpoint_leaves_out_is_added(given: str, version: str | None, url: str) -> None:
    """The endpoint of the official SDK is scheme and host; people also paste more of the path."""
    found = endpoint(endpoint=given, api_version=version)
    assert found.url == url
    assert found.query == ({"api-version": version} if version else {})


@pytest.mark.parametrize("given", ["example.openai.azure.com", f"{HOST}?api-version=1", "https://u:p@h", ""])
def test_what_is_no_endpoint_is_refused(given: str) -> None:
    with pytest.raises(ValidationError, match="expected an https:// URL such as https://example"):
        endpoint(endpoint=given)


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({}, ("api-key", "", "k")),
        ({"token": "t"}, ("Authorization", "Bearer ", "t")),
        ({"token_command": "printf t2"}, ("Authorization", "Bearer ", "t2")),
        ({"api_key": None, "token": "t"}, ("Authorization", "Bearer ", "t")),
    ],
    ids=["key", "token-over-key", "command-over-key", "token"],
)
async def test_a_token_prevails_over_a_key_as_in_the_official_sdk(
    settings: dict[str, Any], header: tuple[str, str, str]
) -> None:
    found = endpoint(**settings)
    assert (found.key_header, found.key_prefix, await found.credential.current()) == header


def test_without_a_key_or_token_it_cannot_be_asked() -> None:
    with pytest.raises(ConfigurationError, match="source azure: no key or token: set AZURE_OPENAI_API_KEY"):
        endpoint(api_key=None)


@pytest.mark.parametrize("version", [None, "2024-10-21"])
async def test_a_job_is_found_by_either_api(version: str | None) -> None:
    script = Script((JobScript("ftjob-1", (Step("running"),)),), api_key="k", dialect=DialectName.AZURE)
    async with FineTuningApi(script) as api:
        settings = {"endpoint": api.base_url, "api_key": "k", "api_version": version}
        context = SourceContext("azure", ManualClock(), RecordingLog())
        async with build(Config.model_validate(settings), context) as source:
            assert await source.retrieve("ftjob-1") is not None
            with pytest.raises(MissingError, match="does not exist"):
                await source.retrieve("ftjob-2")


async def test_a_wrong_path_or_version_is_a_mistake_of_the_configuration_and_no_missing_job() -> None:
    script = Script((JobScript("ftjob-1"),), dialect=DialectName.AZURE)
    async with FineTuningApi(script) as api:
        settings = {"endpoint": f"{api.base_url}/wrong", "api_key": "k"}
        context = SourceContext("azure", ManualClock(), RecordingLog())
        async with build(Config.model_validate(settings), context) as source:
            with pytest.raises(RejectedError) as caught:
                await source.retrieve("ftjob-1")
    assert str(caught.value) == (
        "HTTP 404: Resource not found: the endpoint or its api_version is wrong, which says nothing of the job"
    )


async def test_its_estimate_of_the_end_is_not_told() -> None:
    job = JobScript("ftjob-1", (Step("running"),), fields={"estimated_finish": 1795600000})
    async with FineTuningApi(Script((job,), api_key="k", dialect=DialectName.AZURE)) as api:
        config = Config.model_validate({"endpoint": api.base_url, "api_key": "k"})
        async with build(config, SourceContext("azure", ManualClock(), RecordingLog())) as source:
            observation = await source.retrieve("ftjob-1")
    assert observation is not None
    assert observation.facts.estimated_finish is None
    assert "1795600000" in observation.document


def test_it_sends_no_webhooks() -> None:
    assert not AZURE_CAPABILITIES.webhooks
