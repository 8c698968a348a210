"""What is Replicate's own: URLs of further pages, and errors that are texts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from watcher.domain.jobs import JobError, JobFacts, JobKey
from watcher.errors import ConfigurationError
from watcher.sources.replicate.config import Config
from watcher.sources.replicate.wire import parse, parse_page

NOW = datetime(2026, 3, 2, 9, 20, tzinfo=UTC)


def facts(status: str, **fields: Any) -> JobFacts:
    return parse(json.dumps({"id": "t1", "status": status, **fields}).encode(), JobKey("replicate", "t1"), NOW).facts


@pytest.mark.parametrize(
    ("url", "cursor"),
    [
        ("https://api.replicate.com/v1/trainings?cursor=cD0yMDI%3D", "cD0yMDI="),
        ("http://evil.example/steal?cursor=abc", "abc"),
        ("/v1/trainings?cursor=abc&x=1", "abc"),
        ("https://api.replicate.com/v1/trainings", None),
        ("http://[", None),
        ("", None),
        (None, None),
        (5, None),
    ],
)
def test_of_the_url_of_the_next_page_only_the_cursor_is_used(url: object, cursor: str | None) -> None:
    """The address that is asked is always that of the settings."""
    assert parse_page(json.dumps({"results": [], "next": url}).encode(), None).after == cursor


def test_the_result_and_the_reason_are_told_at_the_end() -> None:
    output = {"version": "me/model:1", "weights": "https://w"}
    assert facts("succeeded", output=output, completed_at="2026-03-02T09:19:00.5Z").fine_tuned_model == "me/model:1"
    assert facts("processing", output=output).fine_tuned_model is None
    assert facts("failed", error="out of memory").error == JobError(message="out of memory")
    assert facts("failed", error=["out", "of memory"]).error == JobError(message="out; of memory")
    assert facts("failed", error=None).error is None
    assert facts("processing", error="out of memory").error is None
    assert facts("succeeded", output="text").fine_tuned_model is None


def test_without_a_token_it_is_said_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="no API token: set REPLICATE_API_TOKEN, or api_key_file"):
        Config().connection("lab")
