"""Services that speak OpenAI's API, each a kind of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.doubles import ManualClock, RecordingLog
from tests.loopback import LoopbackReceiver, Reply
from watcher.errors import ConfigurationError, RejectedError
from watcher.plugins.registry import sources
from watcher.plugins.source import ListOrder, Source, SourceContext
from watcher.sources.endpoint import Endpoint
from watcher.sources.openai import presets

PROVIDER = {"custom_llm_provider": "azure"}
EXPIRED = [("bedrock-mantle", 401, 2), ("bedrock-mantle", 403, 2), ("nebius", 401, 2), ("nebius", 403, 1)]
"""The kind, the answer, and how often is asked: once more with another token where that one has expired."""


def configured(kind: str, **settings: Any) -> presets.PresetSettings:
    config = sources.plugin(kind).config.model_validate(settings)
    assert isinstance(config, presets.PresetSettings)
    return config


def endpoint(kind: str, **settings: Any) -> Endpoint:
    return configured(kind, **settings).access().endpoint("mine")


def source(kind: str, **settings: Any) -> Source:
    context = SourceContext("mine", ManualClock(), RecordingLog())
    return sources.plugin(kind).build(configured(kind, **settings), context)


def complaint(kind: str, **settings: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        configured(kind, **settings)
    return caught.value.errors()[0]["msg"]


def test_nebius_needs_a_key_and_no_address() -> None:
    assert endpoint("nebius", api_key="k").url == "https://api.tokenfactory.nebius.com/v1"
    with pytest.raises(ConfigurationError, match="source mine: no API key: set NEBIUS_API_KEY, or api_key_file under"):
        endpoint("nebius")


def test_elsewhere_a_key_may_not_be_wanted() -> None:
    assert endpoint("nebius", base_url="http://localhost:8000/v1").url == "http://localhost:8000/v1"


def test_the_host_of_bedrock_holds_the_region() -> None:
    found = endpoint("bedrock-mantle", region="eu-central-1", api_key="k")
    assert found.url == "https://bedrock-mantle.eu-central-1.api.aws/v1"
    with pytest.raises(ConfigurationError, match="set AWS_BEARER_TOKEN_BEDROCK"):
        endpoint("bedrock-mantle", region="eu-central-1")


def test_a_region_is_wanted_where_it_is_used() -> None:
    assert complaint("bedrock-mantle", api_key="k") == "region is missing: give it, or base_url"
    assert endpoint("bedrock-mantle", base_url="https://vpce.example/v1").url == "https://vpce.example/v1"


@pytest.mark.parametrize("region", ["", "eu.example.com/", "a b", "{api_key}", "x" * 64])
def test_a_region_leads_to_no_other_host(region: str) -> None:
    assert "match pattern" in complaint("bedrock-mantle", region=region, api_key="k")


@pytest.mark.parametrize(("kind", "status", "requests"), EXPIRED)
async def test_an_expired_key_of_aws_may_be_answered_with_403(
    kind: str, status: int, requests: int, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    command = ["sh", "-c", f"echo x >> {runs}; printf token-%s $(wc -l < {runs})"]
    async with LoopbackReceiver() as server:
        server.replies = [Reply(status)]
        async with source(kind, base_url=f"{server.url}/v1", token_command=command) as asked:
            with pytest.raises(RejectedError):
                await asked.retrieve("ftjob-1")
        assert len(server.requests) == requests


@pytest.mark.parametrize(
    "given",
    [
        {"base_url": "http://h/v1", "query": PROVIDER},
        {"base_url": "http://h/v1?custom_llm_provider=azure"},
        {"base_url": "http://h/v1?custom_llm_provider=openai", "query": PROVIDER},
    ],
)
def test_litellm_is_told_where_the_jobs_are(given: dict[str, Any]) -> None:
    found = endpoint("litellm", **given)
    assert (found.url, found.query) == ("http://h/v1", PROVIDER)


def test_litellm_has_to_be_told_where_the_jobs_are() -> None:
    assert complaint("litellm", base_url="http://h/v1") == (
        'query.custom_llm_provider is missing: expected "openai" or "azure", to say where the jobs are'
    )
    assert complaint("litellm", query=PROVIDER) == "Field required"


def test_what_a_service_does_not_have_is_not_asked_for() -> None:
    litellm = source("litellm", base_url="http://h/v1", query=PROVIDER).capabilities
    assert (litellm.lists, litellm.events, litellm.metrics, litellm.checkpoints) == (True, False, False, False)
    nebius = source("nebius", api_key="k").capabilities
    assert (nebius.events, nebius.metrics, nebius.webhooks) == (True, True, False)
    assert nebius.order is ListOrder.UNKNOWN


def test_the_kinds_are_those_of_the_table() -> None:
    for kind in presets.presets():
        assert sources.origin_of(kind).module == "watcher.sources.openai.presets"
    with pytest.raises(AttributeError):
        presets.no_such_service  # noqa: B018 - asks the module


@pytest.mark.parametrize("kind", presets.presets())
def test_each_row_can_be_read(kind: str) -> None:
    plugin = presets.plugin_of(kind)
    assert set(plugin.variables.values()) <= set(plugin.config.model_fields)
    assert plugin.config.__doc__
