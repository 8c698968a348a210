"""What is Vertex' own: resource names, tokens, a host for each location, and results of jobs that failed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from tests.doubles import a_transition
from watcher.domain.jobs import JobError, JobFacts, JobKey, Progress
from watcher.domain.messages import message_of
from watcher.domain.states import JobState
from watcher.errors import ConfigurationError, MalformedResponseError
from watcher.sources.endpoint import Endpoint
from watcher.sources.vertex.config import Config
from watcher.sources.vertex.ids import read_id
from watcher.sources.vertex.wire import parse, parse_page

NOW = datetime(2026, 3, 2, 9, 20, tzinfo=UTC)
PARENT = "projects/123456789012/locations/us-central1"


def facts(state: str, **fields: Any) -> JobFacts:
    document = {"name": f"{PARENT}/tuningJobs/1", "state": state, **fields}
    return parse(json.dumps(document).encode(), JobKey("vertex", "1"), NOW).facts


def endpoint(**settings: Any) -> Endpoint:
    return Config.model_validate({"project": "my-project", "api_key": "t", **settings}).connection("lab")


@pytest.mark.parametrize(
    "text", ["1", f"{PARENT}/tuningJobs/1", "projects/my-project/locations/europe-west4/tuningJobs/1"]
)
def test_a_job_is_named_by_its_number_or_its_resource_name(text: str) -> None:
    assert read_id(text) == "1"


def test_the_name_of_another_resource_is_no_job() -> None:
    with pytest.raises(ValueError, match="tuningJobs/1234567890"):
        read_id(f"{PARENT}/models/1")


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "https://us-central1-aiplatform.googleapis.com/v1/projects/my-project/locations/us-central1"),
        (
            {"location": "europe-west4"},
            "https://europe-west4-aiplatform.googleapis.com/v1/projects/my-project/locations/europe-west4",
        ),
        ({"location": "global"}, "https://aiplatform.googleapis.com/v1/projects/my-project/locations/global"),
        (
            {"project": "example.com:p"},
            "https://us-central1-aiplatform.googleapis.com/v1/projects/example.com%3Ap/locations/us-central1",
        ),
        ({"base_url": "https://h/v1beta1"}, "https://h/v1beta1/projects/my-project/locations/us-central1"),
    ],
)
def test_the_host_is_that_of_the_location(settings: dict[str, str], url: str) -> None:
    assert endpoint(**settings).url == url


def test_who_pays_is_sent_along() -> None:
    assert endpoint(quota_project="payer").headers == {"x-goog-user-project": "payer"}
    assert endpoint().headers == {}


@pytest.mark.parametrize(
    "wrong", [{"location": "us/../x"}, {"location": "evil.example"}, {"project": "a/b"}, {"project": ".."}]
)
def test_what_could_change_the_host_or_the_path_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="expected"):
        endpoint(**wrong)


def test_without_a_token_it_is_said_how_to_get_one() -> None:
    with pytest.raises(ConfigurationError, match='token_command = "gcloud auth print-access-token"'):
        Config.model_validate({"project": "p"}).connection("lab")


def test_a_job_that_failed_may_have_a_result_and_it_is_told() -> None:
    seen = facts("JOB_STATE_FAILED", error={"code": 13, "message": "no endpoint"}, tunedModel={"model": "m@1"})
    assert (seen.fine_tuned_model, seen.error) == ("m@1", JobError("13", "no endpoint"))
    told = message_of(a_transition(state=JobState.FAILED, status="JOB_STATE_FAILED", facts=seen)).facts
    assert {detail.label: detail.value for detail in told}.items() >= {
        "Error": "no endpoint",
        "Fine-tuned model": "m@1",
    }.items()


def test_a_result_is_told_when_the_job_has_ended() -> None:
    assert facts("JOB_STATE_RUNNING", tunedModel={"model": "m@1"}).fine_tuned_model is None


def test_whole_numbers_are_texts() -> None:
    statistics = {"supervisedTuningDataStats": {"totalBillableTokenCount": "255243"}}
    assert facts("JOB_STATE_SUCCEEDED", tuningDataStats=statistics).trained_tokens == 255243
    assert facts("JOB_STATE_RUNNING", tuningDataStats=statistics).trained_tokens is None


@pytest.mark.parametrize("error", [None, {}, {"code": 0, "message": ""}, "text"])
def test_an_error_that_says_nothing_is_none(error: object) -> None:
    assert facts("JOB_STATE_FAILED", error=error).error is None


def test_labels_are_metadata_and_an_empty_page_is_an_empty_object() -> None:
    job = {"name": f"{PARENT}/tuningJobs/1", "state": "JOB_STATE_QUEUED", "labels": {"team": "nlp"}, "baseModel": "g"}
    page = parse_page(json.dumps({"tuningJobs": [job], "nextPageToken": "t"}).encode(), None)
    assert (page.jobs["1"].metadata, page.jobs["1"].model, page.after) == ({"team": "nlp"}, "g", "t")
    assert parse_page(b"{}", None).after is None
    with pytest.raises(MalformedResponseError, match="it has no tuningJobs"):
        parse_page(b'{"data": []}', None)


@pytest.mark.parametrize(
    ("done", "total", "progress"),
    [
        ("40", "120", (40, 120)),
        ("0", "120", None),
        ("121", "120", None),
        (None, "120", None),
        ("40", None, (40, None)),
    ],
)
def test_progress_is_that_of_the_steps(done: object, total: object, progress: tuple[int, int | None] | None) -> None:
    document = {
        "name": f"{PARENT}/tuningJobs/1",
        "state": "JOB_STATE_RUNNING",
        "tuningJobMetadata": {"completedStepCount": done},
        "tuningDataStats": {"supervisedTuningDataStats": {"tuningStepCount": total}},
    }
    told = parse(json.dumps(document).encode(), JobKey("vertex", "1"), NOW).progress
    assert told == (Progress(*progress, NOW) if progress else None)


def test_what_is_called_and_what_was_saved_is_told_at_the_end() -> None:
    tuned = {"model": "m@1", "endpoint": "e", "checkpoints": [{"step": "40"}, None, {"epoch": "2"}, {"step": "80"}]}
    told = (("Endpoint", "e"), ("Checkpoints", "at step 40, 80"))
    assert facts("JOB_STATE_SUCCEEDED", tunedModel=tuned).more == told
    assert facts("JOB_STATE_RUNNING", tunedModel=tuned).more == ()


@pytest.mark.parametrize(
    ("detail", "told"), [("TUNING_JOB_STATE_WAITING_FOR_QUOTA", "waiting for quota"), ("", None), (5, None)]
)
def test_what_a_job_waits_for_is_told_beside_its_state(detail: object, told: str | None) -> None:
    assert facts("JOB_STATE_PENDING", tuningJobState=detail).more == ((("Stage", told),) if told else ())
