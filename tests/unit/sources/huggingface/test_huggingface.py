"""What is Hugging Face's own: a status within a status, a bare array, and a header that leads to the next page."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from watcher.domain.jobs import JobError, JobKey
from watcher.domain.states import JobState
from watcher.errors import ConfigurationError, MalformedResponseError
from watcher.sources.huggingface.config import Config
from watcher.sources.huggingface.plugin import read_id
from watcher.sources.huggingface.wire import parse, parse_page

NOW = datetime(2026, 3, 2, 9, 20, tzinfo=UTC)
SAMPLES = Path(__file__).parents[3] / "contract/sources/samples"
PAGES = "https://huggingface.co/jobs/example"


def test_a_recorded_failure_says_why_and_has_a_page_for_people() -> None:
    body = (SAMPLES / "huggingface-jobs-ERROR.json").read_bytes()
    job_id = "68a1f0c2e4b0a1b2c3d4e5f6"
    seen = parse(body, JobKey("huggingface", job_id), NOW, PAGES)
    assert (seen.status, seen.state) == ("ERROR", JobState.FAILED)
    assert seen.facts.error == JobError(message="Job failed with exit code: 1")
    assert seen.facts.page_url == f"{PAGES}/{job_id}"
    assert seen.facts.finished_at == datetime(2026, 3, 2, 9, 6, 10, 789000, UTC)


@pytest.mark.parametrize(
    ("link", "cursor"),
    [
        ('<https://huggingface.co/api/jobs/example?cursor=abc&limit=5>; rel="next"', "cursor=abc&limit=5"),
        ("<http://evil.example/steal?cursor=abc>;rel=next", "cursor=abc"),
        ('<https://h/a?b=1>; rel="first", <https://h/a?b=2>; title="x"; rel="next"', "b=2"),
        ('<https://h/a?b=1>; rel="prev"', None),
        ('<https://h/a>; rel="next"', None),
        ('<http://[?a=1>; rel="next"', None),
        ("", None),
    ],
)
def test_of_the_url_of_the_next_page_only_the_query_is_used(link: str, cursor: str | None) -> None:
    """The address that is asked is always that of the settings."""
    assert parse_page(b"[]", link, None).after == cursor


def test_a_page_that_leads_to_itself_leads_nowhere() -> None:
    assert parse_page(b"[]", '<https://h/a?b=1>; rel="next"', "b=1").after is None


def test_the_list_is_an_array_and_labels_are_metadata() -> None:
    job = {"id": "1", "status": {"stage": "RUNNING"}, "createdAt": "2026-03-02T09:20:00Z", "labels": {"run": "x"}}
    page = parse_page(json.dumps([job, {"id": "2", "status": "RUNNING"}]).encode(), "", None)
    assert page.jobs.keys() == {"1"}
    assert (page.jobs["1"].status, page.jobs["1"].created_at, page.jobs["1"].metadata) == ("RUNNING", NOW, {"run": "x"})
    with pytest.raises(MalformedResponseError, match="it is JSON, but no list"):
        parse_page(b'{"jobs": []}', "", None)


@pytest.mark.parametrize("status", [None, "RUNNING", {"message": "x"}])
def test_a_job_without_a_stage_is_malformed(status: object) -> None:
    with pytest.raises(MalformedResponseError, match=r"its status|no status"):
        parse(json.dumps({"id": "1", "status": status}).encode(), JobKey("huggingface", "1"), NOW, PAGES)


def test_the_namespace_is_no_part_of_an_id() -> None:
    assert read_id("68a1f0c2e4b0a1b2c3d4e5f6") == "68a1f0c2e4b0a1b2c3d4e5f6"
    with pytest.raises(ValueError, match="its namespace stands in the settings"):
        read_id("example/68a1f0c2e4b0a1b2c3d4e5f6")


def test_without_a_token_it_is_said_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="no token: set HF_TOKEN, or api_key_file"):
        Config.model_validate({"namespace": "example"}).connection("lab")
