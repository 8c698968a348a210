"""What is Bedrock's own: names and ARNs, errors named in a header, and keys that end with a 403."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.doubles import ManualClock, RecordingLog
from tests.loopback import LoopbackReceiver, Reply
from watcher.domain.jobs import JobError, JobFacts, JobKey
from watcher.errors import ConfigurationError, MissingError, RejectedError, TransientError
from watcher.plugins.source import SourceContext
from watcher.sources.bedrock.config import Config
from watcher.sources.bedrock.ids import read_id
from watcher.sources.bedrock.plugin import build
from watcher.sources.bedrock.wire import parse, parse_page

NOW = datetime(2026, 3, 2, 9, 20, tzinfo=UTC)
ARN = "arn:aws:bedrock:us-east-1:123456789012:model-customization-job/amazon.nova-lite-v1:0:300k/abc123def456"
JOB = {"jobName": "example-job", "jobArn": ARN, "status": "InProgress"}
EXPIRED = b'{"message": "The security token included in the request is expired"}'


def facts(status: str, **fields: Any) -> JobFacts:
    document = {**JOB, "status": status, **fields}
    return parse(json.dumps(document).encode(), JobKey("bedrock", "example-job"), NOW).facts


@pytest.mark.parametrize("text", ["second", "a-job+1.2", "x" * 63, ARN, ARN.replace(":aws:", ":aws-us-gov:")])
def test_a_job_is_named_by_its_name_or_its_arn(text: str) -> None:
    assert read_id(text) == text


@pytest.mark.parametrize(
    "text", ["x" * 64, "-job", "job_1", "job-", "a/b", ARN.replace("model-customization-job", "custom-model")]
)
def test_what_bedrock_takes_for_no_job_is_refused_before_it_is_asked(text: str) -> None:
    with pytest.raises(ValueError, match="a job id: the name of a model customization job"):
        read_id(text)


@pytest.mark.parametrize("job_id", ["example-job", ARN])
async def test_both_lead_to_the_job_as_one_part_of_the_path(job_id: str) -> None:
    async with LoopbackReceiver() as server:
        server.replies = [Reply(body=json.dumps(JOB).encode())]
        config = Config.model_validate({"region": "us-east-1", "base_url": server.url, "api_key": "k"})
        async with build(config, SourceContext("lab", ManualClock(), RecordingLog())) as source:
            observation = await source.retrieve(job_id)
    assert observation is not None
    assert observation.facts.suffix == "example-job"
    assert server.requests[0].target.count("/") == 2
    assert ("%2F" in server.requests[0].target) is (job_id == ARN)


@pytest.mark.parametrize(
    ("status_code", "headers", "body"),
    [
        (403, {"x-amzn-errortype": "ExpiredTokenException"}, b'{"message": "m"}'),
        (403, {"x-amzn-errortype": "ExpiredTokenException:http://internal.example/"}, b"{}"),
        (403, {"x-amzn-errortype": "AccessDeniedException"}, EXPIRED),
        (401, {}, b"{}"),
    ],
)
async def test_a_key_that_has_ended_is_renewed_and_the_request_tried_again(
    status_code: int, headers: dict[str, str], body: bytes, tmp_path: Path
) -> None:
    command = ["sh", "-c", f"echo x >> {tmp_path}/runs; printf key-%s-of-the-command $(wc -l < {tmp_path}/runs)"]
    async with LoopbackReceiver() as server:
        server.replies = [Reply(status_code, body, headers=headers), Reply(body=json.dumps(JOB).encode())]
        config = Config.model_validate({"region": "us-east-1", "base_url": server.url, "token_command": command})
        async with build(config, SourceContext("lab", ManualClock(), RecordingLog())) as source:
            assert await source.retrieve("example-job") is not None
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer key-1-of-the-command", "Bearer key-2-of-the-command"]


@pytest.mark.parametrize(
    ("status_code", "name", "kind"),
    [
        (403, "AccessDeniedException", RejectedError),
        (404, "ResourceNotFoundException", MissingError),
        (429, "ThrottlingException", TransientError),
        (400, "ValidationException", TransientError),
        (500, "InternalServerException", TransientError),
    ],
)
async def test_the_name_of_an_error_stands_in_a_header(status_code: int, name: str, kind: type[Exception]) -> None:
    async with LoopbackReceiver() as server:
        headers = {
            "x-amzn-errortype": f"{name}:http://internal.example/",
            "x-amzn-requestid": "r-1",
            "retry-after": "60",
        }
        server.replies = [Reply(status_code, b'{"message": "no"}', headers=headers)]
        config = Config.model_validate({"region": "us-east-1", "base_url": server.url, "api_key": "k"})
        async with build(config, SourceContext("lab", ManualClock(), RecordingLog())) as source:
            with pytest.raises(kind, match=rf"HTTP {status_code}: no \({name}\)") as caught:
                await source.retrieve("example-job")
    assert getattr(caught.value, "request_id", None) == "r-1"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("us-east-1", "https://bedrock.us-east-1.amazonaws.com"),
        ("cn-north-1", "https://bedrock.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_host_is_that_of_the_region(region: str, url: str) -> None:
    assert Config.model_validate({"region": region, "api_key": "k"}).connection("lab").url == url


def test_without_a_key_it_is_said_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="set AWS_BEARER_TOKEN_BEDROCK, or api_key_file or token_command"):
        Config.model_validate({"region": "us-east-1"}).connection("lab")


def test_the_name_of_the_result_is_no_sign_of_success() -> None:
    assert facts("InProgress", outputModelName="m").fine_tuned_model is None
    assert facts("Completed", outputModelName="m").fine_tuned_model == "m"
    assert facts("Completed", outputModelName="m", outputModelArn="arn:m").fine_tuned_model == "arn:m"


def test_a_failure_says_why() -> None:
    assert facts("Failed", failureMessage="no data").error == JobError(message="no data")
    assert facts("Failed", failureMessage="").error is None
    assert facts("InProgress", failureMessage="no data").error is None


def test_a_recorded_list_tells_of_jobs_by_name() -> None:
    body = (Path(__file__).parents[3] / "contract/sources/samples/bedrock-list.json").read_bytes()
    page = parse_page(body, None)
    assert {name: (job.status, job.name) for name, job in page.jobs.items()} == {
        "second": ("Completed", "model2"),
        "testjobformodel2": ("Failed", "testmodel2"),
    }
    assert page.jobs["second"].created_at == datetime(2023, 11, 29, 10, 45, 43, 56000, UTC)
    assert page.after is None


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        ({"validationDetails": {"status": "InProgress"}, "trainingDetails": {"status": "NotStarted"}}, "validation"),
        ({"dataProcessingDetails": {"status": "Completed"}, "trainingDetails": {"status": "InProgress"}}, "training"),
        ({"trainingDetails": "soon"}, None),
        ("soon", None),
        (None, None),
    ],
)
def test_a_job_under_way_says_which_part_of_it_is(stages: object, told: str | None) -> None:
    assert facts("InProgress", statusDetails=stages).more == ((("Stage", told),) if told else ())
    assert facts("Completed", statusDetails=stages).more == ()


def test_a_job_that_has_ended_says_its_last_losses() -> None:
    measured = {
        "trainingMetrics": {"trainingLoss": 0.123456},
        "validationMetrics": [{"validationLoss": 1}, None, {"validationLoss": "x"}, {"validationLoss": 0.5}],
    }
    assert facts("Completed", **measured).more == (("Training loss", "0.1235"), ("Validation loss", "1, 0.5"))
    assert facts("InProgress", **measured).more == ()
